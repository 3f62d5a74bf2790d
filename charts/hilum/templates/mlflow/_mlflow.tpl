{{/* Refuses MLflow values that cannot work. */}}
{{- define "hilum.mlflow.check" -}}
{{- with .Values.mlflow }}
{{- if and (not .enabled) (not .externalUri) }}
{{- fail "mlflow.enabled is false and mlflow.externalUri is empty: the rollout watcher needs a registry. Give the address of your MLflow server in mlflow.externalUri, or let the chart run one (mlflow.enabled: true)." }}
{{- end }}
{{- if and .enabled .externalUri }}
{{- fail (printf "mlflow.externalUri (%s) is given while mlflow.enabled is true: which of the two servers is the registry? Set mlflow.enabled to false, or remove the address." .externalUri) }}
{{- end }}
{{- if .enabled }}
{{- if and .database.existingSecret $.Values.networkPolicy.enabled (not $.Values.networkPolicy.egress.postgresql) }}
{{- fail "networkPolicy.egress.postgresql is empty, so MLflow could not reach the database of mlflow.database.existingSecret. List where PostgreSQL answers, as in {ipBlock: {cidr: 10.0.0.0/8}}." }}
{{- end }}
{{- if and .artifacts.destination $.Values.networkPolicy.enabled (not $.Values.networkPolicy.egress.s3) }}
{{- fail (printf "networkPolicy.egress.s3 is empty, so MLflow could not reach mlflow.artifacts.destination (%s). List where S3 answers, as in {ipBlock: {cidr: 10.0.0.0/8}}." .artifacts.destination) }}
{{- end }}
{{- if and (gt (int .replicas) 1) (not .database.existingSecret) }}
{{- fail (printf "mlflow.replicas is %d over SQLite: one file takes one writer. Name a Secret with a PostgreSQL URL in mlflow.database.existingSecret, or set mlflow.replicas to 1." (int .replicas)) }}
{{- end }}
{{- if and (gt (int .replicas) 1) (not .artifacts.destination) }}
{{- fail (printf "mlflow.replicas is %d and artifacts lie on one pod's volume. Give a bucket in mlflow.artifacts.destination (s3://BUCKET/PREFIX), or set mlflow.replicas to 1." (int .replicas)) }}
{{- end }}
{{- if and .database.migrate (gt (int .replicas) 1) }}
{{- fail "mlflow.database.migrate lets each pod change the schema when it starts: set mlflow.replicas to 1 for the upgrade, and back once the pod is ready." }}
{{- end }}
{{- if and .auth.enabled (not .auth.existingSecret) }}
{{- fail "mlflow.auth.enabled is true and mlflow.auth.existingSecret is empty: basic auth starts with an administrator from a Secret. Create it (keys username, password, session-key; see docs/kubernetes.md) and name it there." }}
{{- end }}
{{- if and .auth.enabled (not .client.existingSecret) }}
{{- fail "mlflow.auth.enabled is true and mlflow.client.existingSecret is empty: the rollout watcher could not read the registry. Name a Secret with the user that Hilum is to be; at the first install the administrator's own may serve." }}
{{- end }}
{{- if and .auth.enabled (gt (int .replicas) 1) (not .auth.sessionKey) }}
{{- fail "mlflow.auth.sessionKey is empty with several replicas: a form served by one of them would be refused by another." }}
{{- end }}
{{- if and (not .webhookEncryption.existingSecret) (gt (int .replicas) 1) }}
{{- fail "mlflow.webhookEncryption.existingSecret is empty with several replicas: they could not read each other's webhook secrets. Create a Secret with a Fernet key (see docs/kubernetes.md) and name it there." }}
{{- end }}
{{- if and .ingress.enabled (not .auth.enabled) }}
{{- fail "mlflow.ingress.enabled is true without mlflow.auth.enabled: whoever reaches that address could move the champion alias. Enable mlflow.auth, or leave MLflow inside the cluster." }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.host) }}
{{- fail "mlflow.ingress.enabled is true and mlflow.ingress.host is empty: name the host under which people reach MLflow." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether MLflow keeps anything on a volume of its own. */}}
{{- define "hilum.mlflow.usesVolume" -}}
{{- if or (not .Values.mlflow.database.existingSecret) (not .Values.mlflow.artifacts.destination) }}true{{ end }}
{{- end }}

{{/* Host headers that MLflow answers to: its service, this pod by port-forward, the ingress, and those given.
Any other gets 403, which keeps a page in somebody's browser from reaching it by a name of its own. */}}
{{- define "hilum.mlflow.allowedHosts" -}}
{{- $service := printf "%s-mlflow" (include "hilum.fullname" .) }}
{{- $hosts := list }}
{{- range list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.%s" $service .Release.Namespace .Values.mlflow.clusterDomain) }}
{{- $hosts = append $hosts . }}
{{- $hosts = append $hosts (printf "%s:5000" .) }}
{{- end }}
{{- $hosts = concat $hosts (list "localhost:*" "127.0.0.1:*") }}
{{- if .Values.mlflow.ingress.enabled }}
{{- $hosts = append $hosts .Values.mlflow.ingress.host }}
{{- end }}
{{- concat $hosts .Values.mlflow.allowedHosts | uniq | join "," }}
{{- end }}

{{/* Where basic auth keeps its users, for the init container that writes its settings. */}}
{{- define "hilum.mlflow.databaseEnv" -}}
{{- $database := .Values.mlflow.database }}
{{- if $database.existingSecret }}
{{ include "hilum.secretEnv" (dict "name" "MLFLOW_BACKEND_STORE_URI" "secret" $database.existingSecret "key" $database.key) }}
{{- else }}
- name: MLFLOW_BACKEND_STORE_URI
  value: sqlite:////mlflow/mlflow.db
{{- end }}
{{- end }}
