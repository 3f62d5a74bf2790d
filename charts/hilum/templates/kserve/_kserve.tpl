{{/* Name of the InferenceService. */}}
{{- define "hilum.kserve.name" -}}
{{- include "hilum.fullname" . -}}
{{- end }}

{{/* What a predictor of KServe's is, stable or canary, as training/promote/targets/inference_service.py reads and
writes it: named after its release, so that promoting a canary renames nothing and restarts no pod.
Takes dict "context" $ "release" NUMBER. */}}
{{- define "hilum.kserve.predictor" -}}
{{- $values := .context.Values -}}
name: release-{{ .release }}
minReplicas: {{ $values.triton.replicas }}
serviceAccountName: {{ default (include "hilum.triton.serviceAccountName" .context) $values.kserve.serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "hilum.triton.gracePeriod" .context }}
securityContext:
  {{- include "hilum.podSecurityContext" .context | nindent 2 }}
{{- with $values.triton.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.triton.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "hilum.triton.topologySpread" .context | trim }}
{{ . }}
{{- end }}
model:
  name: kserve-container
  modelFormat:
    name: triton
  protocolVersion: v2
  runtime: {{ include "hilum.fullname" .context }}-triton
  storageUri: {{ $values.kserve.storageUri }}/release-{{ .release }}
  # Without these KServe writes its own defaults over the runtime's.
  resources:
    {{- include "hilum.triton.resources" .context | nindent 4 }}
{{- end }}
