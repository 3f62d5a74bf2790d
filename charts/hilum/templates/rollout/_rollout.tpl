{{/* Whether the watcher runs: "true" or nothing. KServe's pods read a release once, so there is nothing to watch. */}}
{{- define "hilum.rollout.watches" -}}
{{- if and .Values.rollout.enabled (not .Values.kserve.enabled) }}true{{ end }}
{{- end }}

{{/* Whether releases are published to KServe's storage: "true" or nothing. */}}
{{- define "hilum.rollout.publishes" -}}
{{- if and .Values.rollout.enabled .Values.kserve.enabled .Values.rollout.kserve.enabled }}true{{ end }}
{{- end }}

{{/* Whether there is a hook test: "true" or nothing. Without a watcher nobody says what is to serve, but under KServe. */}}
{{- define "hilum.tests.run" -}}
{{- if and .Values.tests.enabled (or .Values.kserve.enabled (include "hilum.rollout.watches" .)) }}true{{ end }}
{{- end }}

{{/* Whether the watcher's home is a volume of its own, instead of the one that Triton reads: "true" or nothing. */}}
{{- define "hilum.rollout.ownsHome" -}}
{{- if not .Values.modelRepository.pvc.enabled }}true{{ end }}
{{- end }}

{{/* Refuses rollout values that cannot work. */}}
{{- define "hilum.rollout.check" -}}
{{- $rollout := .Values.rollout }}
{{- $ledger := .Values.ledger.existingSecret }}
{{- if and $rollout.enabled $ledger .Values.networkPolicy.enabled (not .Values.networkPolicy.egress.postgresql) }}
{{- fail "networkPolicy.egress.postgresql is empty, so the rollout could not reach the ledger of ledger.existingSecret. List where PostgreSQL answers, as in {ipBlock: {cidr: 10.0.0.0/8}}." }}
{{- end }}
{{- if include "hilum.rollout.watches" . }}
{{- if and .Values.modelRepository.pvc.enabled (eq .Values.modelRepository.pvc.accessMode "ReadWriteMany") (not $ledger) }}
{{- fail "ledger.existingSecret is empty and modelRepository.pvc.accessMode is ReadWriteMany: the ledger would be a SQLite file on a network file system, whose locks cannot be relied on. Name a Secret with a PostgreSQL URL there." }}
{{- end }}
{{- if and (include "hilum.rollout.ownsHome" .) (not $rollout.persistence.enabled) (not $ledger) }}
{{- fail "rollout.persistence.enabled is false and ledger.existingSecret is empty: the ledger would go with the watcher's pod. Name a Secret with a PostgreSQL URL in ledger.existingSecret, or keep the watcher's home on a volume." }}
{{- end }}
{{- if and .Values.triton.tls.enabled (not $rollout.clientTls.existingSecret) }}
{{- fail "triton.tls.enabled is true and rollout.clientTls.existingSecret is empty: the watcher would trust no certificate of Triton's. Name a Secret with the CA there." }}
{{- end }}
{{- if and .Values.triton.tls.enabled .Values.triton.tls.mutual (not $rollout.clientTls.mutual) }}
{{- fail "triton.tls.mutual is true and rollout.clientTls.mutual false: Triton would refuse the watcher. Put a certificate and its key into the Secret rollout.clientTls.existingSecret, and set rollout.clientTls.mutual." }}
{{- end }}
{{- end }}
{{- if and $rollout.kserve.enabled (not .Values.kserve.enabled) }}
{{- fail "rollout.kserve.enabled is true and kserve.enabled false: there is no InferenceService to change. Enable kserve, or leave the rollout to the watcher." }}
{{- end }}
{{- if and (include "hilum.rollout.publishes" .) (not $ledger) }}
{{- fail "rollout.kserve.enabled is true and ledger.existingSecret is empty: each run is a new pod and would begin a new ledger. Name a Secret with a PostgreSQL URL there." }}
{{- end }}
{{- end }}

{{/* Where MLflow reaches the watcher; empty where it is not to. */}}
{{- define "hilum.rollout.webhookUrl" -}}
{{- with .Values.rollout.webhook }}
{{- if not .enabled }}
{{- else if .url }}
{{- .url }}
{{- else if $.Values.mlflow.enabled -}}
http://{{ include "hilum.fullname" $ }}-rollout.{{ $.Release.Namespace }}.svc:8003/webhooks/mlflow
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of every rollout: who acts, on what authority, where releases and the ledger are. */}}
{{- define "hilum.rollout.commonEnv" -}}
{{ include "hilum.mlflowClientEnv" . }}
- name: HILUM_ACTOR
  value: {{ default (printf "%s-rollout.%s" (include "hilum.fullname" .) .Release.Namespace) .Values.rollout.actor | quote }}
- name: HILUM_HAND_MOVED_ALIASES
  value: {{ .Values.rollout.handMovedAliases }}
{{- with .Values.rollout.gatePolicy }}
- name: HILUM_GATE_POLICY
  value: {{ . | quote }}
{{- end }}
- name: HILUM_INSTANCES
  value: {{ .Values.triton.instances | quote }}
- name: HILUM_ACCELERATOR
  value: {{ include "hilum.triton.networks" . }}
{{- with .Values.ledger }}
{{- if .existingSecret }}
{{ include "hilum.secretEnv" (dict "name" "HILUM_LEDGER_URL" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of a rollout into the chart's own Triton. */}}
{{- define "hilum.rollout.env" -}}
{{ include "hilum.rollout.commonEnv" . }}
- name: HILUM_HOME
  value: /var/lib/hilum
- name: HILUM_TRITON_URL
  value: {{ include "hilum.everyTritonUrl" . | quote }}
{{- with .Values.triton.adminKey }}
{{ include "hilum.secretEnv" (dict "name" "HILUM_ADMIN_KEY" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- include "hilum.clientTlsEnv" .Values.rollout.clientTls }}
{{- if .Values.modelRepository.s3.enabled }}
- name: HILUM_REPOSITORY_MIRROR
  value: {{ .Values.modelRepository.s3.url | quote }}
{{- include "hilum.s3Env" (dict "s3" (merge (dict "region" .Values.modelRepository.s3.region) .Values.rollout.s3)) }}
{{- end }}
{{- end }}

{{/* Where the watcher, and the hook test beside it, keep things. */}}
{{- define "hilum.rollout.volumeMounts" -}}
- name: home
  mountPath: /var/lib/hilum
- name: tmp
  mountPath: /tmp
{{- if .Values.rollout.clientTls.existingSecret }}
- name: tls
  mountPath: /etc/hilum/tls
  readOnly: true
{{- end }}
{{- end }}

{{/* The volumes to these mounts. The live model repository is the folder model_repository of the home: new releases
are renamed into it, so both must be one file system. */}}
{{- define "hilum.rollout.volumes" -}}
- name: home
  {{- if not (include "hilum.rollout.ownsHome" .) }}
  persistentVolumeClaim:
    claimName: {{ include "hilum.repositoryClaim" . }}
  {{- else if .Values.rollout.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-rollout" (include "hilum.fullname" .)) .Values.rollout.persistence.existingClaim }}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 5Gi
{{- with .Values.rollout.clientTls }}
{{- if .existingSecret }}
- name: tls
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}

{{/* Affinity of the hook test, which mounts the watcher's home: the watcher's node, where one node mounts it. */}}
{{- define "hilum.rollout.homeAffinity" -}}
{{- if and (include "hilum.rollout.ownsHome" .) .Values.rollout.persistence.enabled -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "hilum.selectorLabels" (dict "context" $ "component" "rollout") | nindent 10 }}
{{- else -}}
{{- include "hilum.repositoryAffinity" . -}}
{{- end -}}
{{- end }}
