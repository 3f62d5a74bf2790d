{{/* Annotations that change with the Secrets that Triton reads at its start only: a change restarts the pods. */}}
{{- define "hilum.triton.secretChecksums" -}}
{{- if .Values.triton.restartOnSecretChange -}}
{{- $checksums := dict -}}
{{- $names := list .Values.triton.adminKey.existingSecret -}}
{{- if .Values.triton.tls.enabled -}}
{{- $names = append $names .Values.triton.tls.existingSecret -}}
{{- end -}}
{{- range $names -}}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace . -}}
{{- $_ := set $checksums (printf "checksum/secret-%s" .) (toJson (default dict $secret.data) | sha256sum) -}}
{{- end -}}
{{- toYaml $checksums -}}
{{- end -}}
{{- end }}
