{{/* Refuses dashboard values that cannot work. */}}
{{- define "hilum.dashboard.check" -}}
{{- with .Values.dashboard }}
{{- if and .ingress.enabled (not .enabled) }}
{{- fail "dashboard.ingress.enabled is true while dashboard.enabled is false: there would be nothing behind that address. Enable the dashboard, or not its ingress." }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.host) }}
{{- fail "dashboard.ingress.enabled is true and dashboard.ingress.host is empty: name the host under which people reach the dashboard." }}
{{- end }}
{{- if and .ingress.enabled (not .oidc.existingSecret) }}
{{- fail "dashboard.ingress.enabled is true and dashboard.oidc.existingSecret is empty: everybody who reaches that address would see patients' images. Name a Secret with Streamlit's OIDC login, or use kubectl port-forward." }}
{{- end }}
{{- if and .enabled (or .key.existingSecret .oidc.existingSecret) (not $.Values.ledger.existingSecret) }}
{{- fail "ledger.existingSecret is empty, and dashboard.key or dashboard.oidc lets readers promote: the dashboard would record that in a ledger of its own. Name a Secret with a PostgreSQL URL in ledger.existingSecret, or leave both empty." }}
{{- end }}
{{- if and .enabled .oidc.existingSecret $.Values.networkPolicy.enabled (not $.Values.networkPolicy.egress.oidc) }}
{{- fail "networkPolicy.egress.oidc is empty, so the dashboard could not reach the identity provider of dashboard.oidc, and nobody could log in. List where it answers, as in {ipBlock: {cidr: 203.0.113.20/32}}." }}
{{- end }}
{{- if and .enabled $.Values.triton.tls.enabled (not .tritonUrl) (not .clientTls.existingSecret) }}
{{- fail "triton.tls.enabled is true and dashboard.clientTls.existingSecret is empty: the dashboard would trust no certificate of Triton's. Name a Secret with the CA there." }}
{{- end }}
{{- if and .enabled $.Values.triton.tls.enabled $.Values.triton.tls.mutual (not .tritonUrl) (not .clientTls.mutual) }}
{{- fail "triton.tls.mutual is true and dashboard.clientTls.mutual false: Triton would refuse the dashboard. Put a certificate and its key into the Secret dashboard.clientTls.existingSecret, and set dashboard.clientTls.mutual." }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.tlsSecret) }}
{{- fail "dashboard.ingress.enabled is true and dashboard.ingress.tlsSecret is empty: images and logins would cross the network in the clear. Name a Secret with a certificate for dashboard.ingress.host." }}
{{- end }}
{{- end }}
{{- end }}
