{{/* Pieces of network policies. */}}

{{/* Peers that are pods of this release. Takes dict "context" $ "components" list of names. */}}
{{- define "hilum.network.pods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "hilum.name" .context }}
      app.kubernetes.io/instance: {{ .context.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: [{{ join ", " .components }}]
{{- end }}

{{/* One rule: peers and TCP ports; nothing where there are no peers, as a rule without them would let in everybody.
Takes dict "direction" from or to "peers" YAML or list "ports" list of numbers or names. */}}
{{- define "hilum.network.rule" -}}
{{- $peers := ternary .peers (toYaml .peers) (kindIs "string" .peers) -}}
{{- if and $peers (ne $peers "[]") }}
- {{ .direction }}:
    {{- $peers | nindent 4 }}
  ports:
    {{- range .ports }}
    - protocol: TCP
      port: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The rules that let a component call MLflow, the release's or another. Takes $. */}}
{{- define "hilum.network.toMlflow" -}}
{{- if .Values.mlflow.enabled -}}
{{- include "hilum.network.rule" (dict "direction" "to" "peers" (include "hilum.network.pods" (dict "context" . "components" (list "mlflow"))) "ports" (list 5000)) -}}
{{- else -}}
{{- include "hilum.network.rule" (dict "direction" "to" "peers" .Values.networkPolicy.egress.mlflow "ports" .Values.networkPolicy.egress.mlflowPorts) -}}
{{- end -}}
{{- end }}

{{/* The rule that lets a component call Triton. Takes $. */}}
{{- define "hilum.network.toTriton" -}}
{{- include "hilum.network.rule" (dict "direction" "to" "peers" (include "hilum.network.pods" (dict "context" . "components" (list "triton"))) "ports" (list 8001)) -}}
{{- end }}

{{/* The rule that lets a component call a service outside. Takes dict "context" $ "what" s3, postgresql, … */}}
{{- define "hilum.network.outside" -}}
{{- $egress := .context.Values.networkPolicy.egress -}}
{{- $ports := default (list (get $egress (printf "%sPort" .what))) (get $egress (printf "%sPorts" .what)) -}}
{{- include "hilum.network.rule" (dict "direction" "to" "peers" (get $egress .what) "ports" $ports) -}}
{{- end }}

{{/* A policy of one component. Takes dict "context" $ "component" NAME "ingress" YAML "egress" YAML of rules. */}}
{{- define "hilum.network.policy" -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "hilum.fullname" .context }}-{{ .component }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "hilum.labels" (dict "context" .context "component" .component) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "hilum.selectorLabels" (dict "context" .context "component" .component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .ingress | trim }}
  ingress:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .egress | trim }}
  egress:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Refuses policies that would cut off what other values ask for. */}}
{{- define "hilum.network.check" -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- if .Values.networkPolicy.enabled -}}
{{- if and .Values.rollout.enabled (not .Values.mlflow.enabled) (not $egress.mlflow) -}}
{{- fail "networkPolicy.egress.mlflow is empty, so the release could not reach mlflow.externalUri. List where it answers, as in {ipBlock: {cidr: 10.0.0.0/8}}, and set networkPolicy.egress.mlflowPorts." -}}
{{- end -}}
{{- range $field := list "mlflow" "dashboard" -}}
{{- $of := get $.Values $field -}}
{{- if and $of.enabled $of.ingress.enabled (not $.Values.networkPolicy.web) -}}
{{- fail (printf "networkPolicy.web is empty, so %s.ingress could not reach its pods. List the Ingress controller's, as in {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}." $field) -}}
{{- end -}}
{{- end -}}
{{- if and (include "hilum.rollout.publishes" .) (not $egress.kubernetesApi) -}}
{{- fail "networkPolicy.egress.kubernetesApi is empty, so rollout.kserve could not change the InferenceService. List where the API server answers, as in {ipBlock: {cidr: 10.0.0.1/32}}." -}}
{{- end -}}
{{- end -}}
{{- end }}
