{{/* What the pods of the platform image share: addresses, credentials, volumes. Triton's pods use none of it. */}}

{{/* Where MLflow answers, for every other pod. */}}
{{- define "hilum.mlflowUri" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "hilum.fullname" . }}-mlflow.{{ .Release.Namespace }}.svc:5000
{{- else -}}
{{ .Values.mlflow.externalUri }}
{{- end -}}
{{- end }}

{{/* `host:port` of Triton's gRPC service: whichever pod answers. Under KServe that may be a canary's. */}}
{{- define "hilum.tritonUrl" -}}
{{ include "hilum.fullname" . }}-triton{{ if .Values.kserve.enabled }}-headless{{ end }}.{{ .Release.Namespace }}.svc:8001
{{- end }}

{{/* Every pod of Triton's, for a rollout, which must reach them all. KServe's own are never written to, so those that
are not ready are of no use. */}}
{{- define "hilum.everyTritonUrl" -}}
dns:///{{ include "hilum.fullname" . }}-triton-{{ ternary "headless" "all" .Values.kserve.enabled }}.{{ .Release.Namespace }}.svc:8001
{{- end }}

{{/* Environment entry that comes from a Secret.
Takes dict "name" NAME "secret" SECRET "key" KEY. */}}
{{- define "hilum.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key | quote }}
{{- end }}

{{/* Environment of every process that speaks to MLflow. HOME lies on the pod's scratch volume, since the root
file system is read-only. */}}
{{- define "hilum.mlflowClientEnv" -}}
- name: HOME
  value: /tmp
- name: HILUM_MLFLOW_URI
  value: {{ include "hilum.mlflowUri" . | quote }}
- name: MLFLOW_DISABLE_TELEMETRY
  value: "true"
{{- with .Values.mlflow.client }}
{{- if .existingSecret }}
{{ include "hilum.secretEnv" (dict "name" "MLFLOW_TRACKING_USERNAME" "secret" .existingSecret "key" .usernameKey) }}
{{ include "hilum.secretEnv" (dict "name" "MLFLOW_TRACKING_PASSWORD" "secret" .existingSecret "key" .passwordKey) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Environment by which a process trusts Triton's certificate, and shows its own where there is one.
Takes the `clientTls` value of its component. */}}
{{- define "hilum.clientTlsEnv" -}}
{{- if .existingSecret }}
- name: HILUM_TLS_CA
  value: /etc/hilum/tls/{{ .caKey }}
{{- if .mutual }}
- name: HILUM_TLS_CERTIFICATE
  value: /etc/hilum/tls/{{ .certificateKey }}
- name: HILUM_TLS_KEY
  value: /etc/hilum/tls/{{ .keyKey }}
{{- end }}
{{- end }}
{{- end }}

{{/* AWS credentials and endpoint of one component. Takes dict "s3" with existingSecret, accessKeyIdKey,
secretAccessKeyKey, endpoint, region; without a secret the pod's own role is used. */}}
{{- define "hilum.s3Env" -}}
{{- with .s3 }}
{{- if .existingSecret }}
{{ include "hilum.secretEnv" (dict "name" "AWS_ACCESS_KEY_ID" "secret" .existingSecret "key" .accessKeyIdKey) }}
{{ include "hilum.secretEnv" (dict "name" "AWS_SECRET_ACCESS_KEY" "secret" .existingSecret "key" .secretAccessKeyKey) }}
{{- end }}
{{- if .region }}
- name: AWS_DEFAULT_REGION
  value: {{ .region | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Runtime class, node selector, tolerations, affinity of a component, where given. */}}
{{- define "hilum.placement" -}}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
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
{{- end }}

{{/* Name of a component's service account. Takes dict "context" $ "component" NAME "account" its value. */}}
{{- define "hilum.serviceAccountName" -}}
{{- if .account.create -}}
{{ default (printf "%s-%s" (include "hilum.fullname" .context) .component) .account.name }}
{{- else -}}
{{ default "default" .account.name }}
{{- end -}}
{{- end }}

{{/* An Ingress to a component's port `http`. Takes dict "context" $ "component" NAME "ingress" its value. */}}
{{- define "hilum.ingress" -}}
{{- $name := printf "%s-%s" (include "hilum.fullname" .context) .component -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $name }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "hilum.labels" (dict "context" .context "component" .component) | nindent 4 }}
  {{- with .ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .ingress.tlsSecret }}
  tls:
    - hosts: [{{ $.ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ .ingress.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ $name }}
                port:
                  name: http
{{- end }}
