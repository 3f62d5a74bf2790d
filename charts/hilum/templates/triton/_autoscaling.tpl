{{/* What scales Triton, in PromQL.

Queue time: microseconds that an image waits in the queues of the models, all steps together, over two minutes. The
ensemble has no queue of its own, so the sum over models counts each wait once; images are those of the front door.
Waiting requests: of all models, at this moment. */}}

{{/* Over all pods of this release's namespace. */}}
{{- define "hilum.autoscaling.query" -}}
{{- $of := printf "job=\"triton\",namespace=\"%s\"" .Release.Namespace -}}
{{- if eq .Values.autoscaling.metric "queueTime" -}}
sum(rate(nv_inference_queue_duration_us{ {{- $of -}} }[2m])) / clamp_min(sum(rate(nv_inference_request_success{ {{- $of -}} ,model="xray_screening"}[2m])), 0.001)
{{- else -}}
sum(nv_inference_pending_request_count{ {{- $of -}} })
{{- end -}}
{{- end }}

{{/* Behaviour of an HPA, whether the chart's or KEDA's. */}}
{{- define "hilum.autoscaling.behavior" -}}
{{- with .Values.autoscaling -}}
scaleUp:
  stabilizationWindowSeconds: {{ .scaleUp.stabilizationSeconds }}
  policies:
    - type: Pods
      value: {{ .scaleUp.podsPerMinute }}
      periodSeconds: 60
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDown.stabilizationSeconds }}
  policies:
    - type: Pods
      value: {{ .scaleDown.podsPerMinute }}
      periodSeconds: 60
{{- end -}}
{{- end }}
