{{/* An annotation that changes with the Secrets that a pod reads at its start only: a change restarts the pod. What renders
without a cluster finds no Secret, and the annotation stays the same.
Takes dict "context" $ "restart" whether it is wanted "secrets" list of names, of which some may be empty. */}}
{{- define "hilum.secretChecksum" -}}
{{- if .restart -}}
{{- $data := dict -}}
{{- range compact .secrets -}}
{{- $secret := lookup "v1" "Secret" $.context.Release.Namespace . -}}
{{- $_ := set $data . (default dict $secret.data) -}}
{{- end -}}
checksum/secrets: {{ toJson $data | sha256sum }}
{{- end -}}
{{- end }}
