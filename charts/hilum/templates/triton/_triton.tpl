{{/* Triton's container, the same in the Deployment and in KServe's ServingRuntime. */}}

{{/* Triton's release in the image (YY.MM): as the values say, or as the tag tells; empty where neither does. */}}
{{- define "hilum.triton.release" -}}
{{- if .Values.triton.version -}}
{{- .Values.triton.version -}}
{{- else -}}
{{- include "hilum.triton.tagRelease" . -}}
{{- end -}}
{{- end }}

{{/* Triton's release as the tag tells: `26.09-py3`, `0.1.0-triton26.09`. */}}
{{- define "hilum.triton.tagRelease" -}}
{{- regexFind "(^|triton|[-_v])[0-9]{2}\\.[0-9]{2}($|[-_])" .Values.triton.image.tag | regexFind "[0-9]{2}\\.[0-9]{2}" -}}
{{- end }}

{{/* What runs the networks, as HILUM_ACCELERATOR takes it. */}}
{{- define "hilum.triton.networks" -}}
{{- with .Values.triton.accelerator -}}
{{- default (ternary "cpu" "cuda" (eq .kind "cpu")) .networks -}}
{{- end -}}
{{- end }}

{{/* Name of the accelerator's resource; empty on a CPU. */}}
{{- define "hilum.triton.resource" -}}
{{- with .Values.triton.accelerator -}}
{{- default (get (dict "gpu" "nvidia.com/gpu" "shared" "nvidia.com/gpu.shared") .kind) .resource -}}
{{- end -}}
{{- end }}

{{/* Resources of the container: the accelerator's go into requests and limits, which must be equal for them. */}}
{{- define "hilum.triton.resources" -}}
{{- $resources := deepCopy .Values.triton.resources -}}
{{- with include "hilum.triton.resource" . -}}
{{- $accelerator := dict . (int $.Values.triton.accelerator.count) -}}
{{- $resources = mergeOverwrite $resources (dict "requests" $accelerator "limits" (deepCopy $accelerator)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* Name of Triton's service account. */}}
{{- define "hilum.triton.serviceAccountName" -}}
{{- with .Values.triton.serviceAccount -}}
{{- default (ternary (printf "%s-triton" (include "hilum.fullname" $)) "default" .create) .name -}}
{{- end -}}
{{- end }}

{{/* Name of the claim that holds the rollout's home and, in it, the model repository. */}}
{{- define "hilum.repositoryClaim" -}}
{{- default (printf "%s-models" (include "hilum.fullname" .)) .Values.modelRepository.pvc.existingClaim -}}
{{- end }}

{{/* Affinity of a pod that shares a ReadWriteOnce volume with Triton: only one node can mount it. */}}
{{- define "hilum.repositoryAffinity" -}}
{{- with .Values.modelRepository.pvc -}}
{{- if and .enabled (eq .accessMode "ReadWriteOnce") (not $.Values.kserve.enabled) -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "hilum.selectorLabels" (dict "context" $ "component" "triton") | nindent 10 }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The program. A server that was killed leaves its shared memory, and the pod keeps it when the container starts
anew: it is freed first. Triton then takes the shell's place, so it gets the signals. */}}
{{- define "hilum.triton.command" -}}
- /bin/sh
- -c
- 'rm -f /dev/shm/hilum-*; exec tritonserver "$@"'
- tritonserver
{{- end }}

{{/* Triton's flags, those of the local stack (hilum/triton/server.py). Nothing is loaded but by name and with the
admin key; no configuration is completed by guesses; calls that read the server's memory and disk need the key too.
HTTP has no TLS: beside an encrypted gRPC it is for the pod's own probes only.
Takes dict "context" $ "repository" the model repository's address. */}}
{{- define "hilum.triton.args" -}}
{{- $triton := .context.Values.triton -}}
{{- $restricted := "model-repository,shared-memory,statistics,trace,logging:hilum-admin=$(HILUM_ADMIN_KEY)" -}}
- --disable-auto-complete-config
- --model-repository={{ .repository }}
- --backend-config=python,shm-region-prefix-name=hilum-
- --model-control-mode=explicit
- --load-model=*
- --strict-readiness=true
- --exit-on-error=true
- --exit-timeout-secs={{ $triton.shutdown.exitTimeoutSeconds }}
- --http-address={{ ternary "127.0.0.1" "0.0.0.0" $triton.tls.enabled }}
- --http-port=8000
- --http-restricted-api={{ $restricted }}
- --grpc-address=0.0.0.0
- --grpc-port=8001
- --grpc-restricted-protocol={{ $restricted }}
- --metrics-address=0.0.0.0
- --metrics-port=8002
# Two more doors that have had holes of their own, and that nobody here uses.
- --allow-sagemaker=false
- --allow-vertex-ai=false
{{- if $triton.tls.enabled }}
- --grpc-use-ssl=true
- --grpc-server-cert=/etc/hilum/tls/{{ $triton.tls.certificateKey }}
- --grpc-server-key=/etc/hilum/tls/{{ $triton.tls.keyKey }}
{{- if $triton.tls.mutual }}
- --grpc-use-ssl-mutual=true
- --grpc-root-cert=/etc/hilum/tls/{{ $triton.tls.clientCaKey }}
{{- end }}
{{- end }}
{{- end }}

{{/* Environment of the server and its Python models. */}}
{{- define "hilum.triton.env" -}}
{{- $s3 := .Values.modelRepository.s3 -}}
# Triton takes the key on its command line only.
- name: HILUM_ADMIN_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.triton.adminKey.existingSecret }}
      key: {{ .Values.triton.adminKey.key }}
# One instance per core: a library that starts a thread per core would fight the others.
- name: OMP_NUM_THREADS
  value: "1"
- name: OPENBLAS_NUM_THREADS
  value: "1"
- name: HOME
  value: /tmp
- name: PYTHONDONTWRITEBYTECODE
  value: "1"
{{- if and $s3.enabled (not .Values.kserve.enabled) }}
{{- if $s3.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ $s3.existingSecret }}
      key: {{ $s3.accessKeyIdKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $s3.existingSecret }}
      key: {{ $s3.secretAccessKeyKey }}
{{- end }}
{{- with $s3.region }}
- name: AWS_DEFAULT_REGION
  value: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Probes. Triton's own health stays good when the process of a Python model has died, which it never replaces: the
liveness probe looks at the processes too. */}}
{{- define "hilum.triton.probes" -}}
{{- with .Values.triton.probes -}}
startupProbe:
  {{- include "hilum.triton.readyProbe" $ | nindent 2 }}
  periodSeconds: {{ .startup.periodSeconds }}
  timeoutSeconds: {{ .readiness.timeoutSeconds }}
  failureThreshold: {{ .startup.failureThreshold }}
livenessProbe:
  exec:
    command: [python3, -m, hilum.triton.alive]
  periodSeconds: {{ .liveness.periodSeconds }}
  timeoutSeconds: {{ .liveness.timeoutSeconds }}
  failureThreshold: {{ .liveness.failureThreshold }}
readinessProbe:
  {{- include "hilum.triton.readyProbe" $ | nindent 2 }}
  periodSeconds: {{ .readiness.periodSeconds }}
  timeoutSeconds: {{ .readiness.timeoutSeconds }}
  failureThreshold: {{ .readiness.failureThreshold }}
{{- end -}}
{{- end }}

{{/* Asks whether all models are loaded: from inside where HTTP does not leave the pod. */}}
{{- define "hilum.triton.readyProbe" -}}
{{- if .Values.triton.tls.enabled -}}
exec:
  command: [python3, -m, hilum.triton.alive, ready]
{{- else -}}
httpGet:
  path: /v2/health/ready
  port: http
{{- end -}}
{{- end }}

{{/* Seconds from the order to end until the kill: past draining and Triton's own wait. */}}
{{- define "hilum.triton.gracePeriod" -}}
{{- with .Values.triton.shutdown -}}
{{- add .drainSeconds .exitTimeoutSeconds .marginSeconds -}}
{{- end -}}
{{- end }}

{{/* Volumes of the container that every way of running it has. */}}
{{- define "hilum.triton.volumes" -}}
{{- with .Values.triton -}}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ .sharedMemory }}
- name: scratch
  emptyDir:
    sizeLimit: {{ .scratch }}
{{- if .tls.enabled }}
- name: tls
  secret:
    secretName: {{ .tls.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end -}}
{{- end }}

{{/* Where they are mounted. */}}
{{- define "hilum.triton.volumeMounts" -}}
- name: shared-memory
  mountPath: /dev/shm
- name: scratch
  mountPath: /tmp
{{- if .Values.triton.tls.enabled }}
- name: tls
  mountPath: /etc/hilum/tls
  readOnly: true
{{- end }}
{{- end }}

{{/* Where the pods may run. Takes $. */}}
{{- define "hilum.triton.placement" -}}
{{- with .Values.triton -}}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{ include "hilum.triton.topologySpread" . }}
{{- end }}

{{/* How the pods are spread over nodes and zones. */}}
{{- define "hilum.triton.topologySpread" -}}
{{- $spread := .Values.triton.topologySpread -}}
{{- if $spread.topologyKeys }}
topologySpreadConstraints:
  {{- range $spread.topologyKeys }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $spread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "hilum.selectorLabels" (dict "context" $ "component" "triton") | nindent 8 }}
    # Pods of the version that is being replaced do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/* The gRPC calls that may come from outside the cluster. */}}
{{- define "hilum.triton.openCalls" -}}
[ServerLive, ServerReady, ServerMetadata, ModelReady, ModelMetadata, ModelConfig, ModelInfer, ModelStreamInfer]
{{- end }}
