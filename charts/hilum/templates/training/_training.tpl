{{/* Refuses training values that cannot work. */}}
{{- define "hilum.training.check" -}}
{{- with .Values.training }}
{{- if ne .kind "none" }}
{{- if not .data.existingClaim }}
{{- fail (printf "training.kind is %s and training.data.existingClaim is empty: name the volume claim that holds the data set (a folder with metadata.csv)." .kind) }}
{{- end }}
{{- if and (eq .weights "imagenet") $.Values.networkPolicy.enabled (not $.Values.networkPolicy.egress.weights) }}
{{- fail "networkPolicy.egress.weights is empty, so training.weights (imagenet) could not be fetched. List who serves them, as in {ipBlock: {cidr: 0.0.0.0/0}}, or put a file on the data's volume and name it in training.weights." }}
{{- end }}
{{- if and .persistence.existingClaim (gt (len .networks) 1) }}
{{- fail (printf "training.persistence.existingClaim is %s and training.networks are %s: two trainings at once need a volume each. Train one network at a time, or let the chart make the claims." .persistence.existingClaim (join ", " .networks)) }}
{{- end }}
{{- if and (gt (int .gpus) 0) (hasSuffix "-cpu" .image.tag) }}
{{- fail (printf "training.gpus is %d, and the image's tag %s is a build of torch without CUDA: it would train on the CPU while it holds the GPUs. Leave training.image.tag empty, or name a -gpu build." (int .gpus) .image.tag) }}
{{- end }}
{{- if and (gt (int .gpus) 1) (contains "mig-" .gpuResource) }}
{{- fail (printf "training.gpus is %d of %s: processes that share a batch need whole GPUs, since MIG slices cannot speak to each other over NCCL. Ask for one slice, or for nvidia.com/gpu." (int .gpus) .gpuResource) }}
{{- end }}
{{- if and (gt (int .gpus) 0) (gt (int .processes) 1) }}
{{- fail (printf "training.processes is %d and training.gpus %d: with GPUs there is one process for each. Leave training.processes at 1." (int .processes) (int .gpus)) }}
{{- end }}
{{- if and (gt (int .nodes) 1) (ne .kind "TrainJob") }}
{{- fail (printf "training.nodes is %d with training.kind %s: a %s is one pod. Set training.kind to TrainJob (Kubeflow Trainer), or training.nodes to 1." (int .nodes) .kind .kind) }}
{{- end }}
{{- if and (gt (int .nodes) 1) (ne .persistence.accessMode "ReadWriteMany") }}
{{- fail (printf "training.nodes is %d and training.persistence.accessMode %s: all processes read one folder of checkpoints. Use a storage class with ReadWriteMany." (int .nodes) .persistence.accessMode) }}
{{- end }}
{{- end }}
{{- if and (eq .kind "CronJob") (not .schedule) }}
{{- fail "training.kind is CronJob and training.schedule is empty: say when, as in \"0 2 * * 6\" (Saturdays at two)." }}
{{- end }}
{{- if and (eq .kind "TrainJob") (not ($.Capabilities.APIVersions.Has "trainer.kubeflow.org/v1alpha1")) }}
{{- fail "training.kind is TrainJob, and this cluster does not have trainer.kubeflow.org/v1alpha1: install Kubeflow Trainer, or set training.kind to Job. (`helm template` without a cluster needs --api-versions trainer.kubeflow.org/v1alpha1.)" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The training image: the build of torch with CUDA where GPUs are asked, else the small one. */}}
{{- define "hilum.training.image" -}}
{{- $image := .Values.training.image }}
{{- if not (or $image.tag $image.digest) }}
{{- $build := ternary "gpu" "cpu" (gt (int .Values.training.gpus) 0) }}
{{- $image = merge (dict "tag" (printf "%s-%s" .Chart.AppVersion $build)) $image }}
{{- end }}
{{- include "hilum.image" (dict "context" . "image" $image) }}
{{- end }}

{{/* Processes in one pod. */}}
{{- define "hilum.training.processes" -}}
{{- max 1 (int .Values.training.gpus) (int .Values.training.processes) }}
{{- end }}

{{/* Command line of one training. Takes dict "context" $ "network" NAME. */}}
{{- define "hilum.training.command" -}}
{{- $training := .context.Values.training }}
{{- $processes := int (include "hilum.training.processes" .context) }}
{{- if eq $training.kind "TrainJob" }}
{{- /* Kubeflow Trainer says by PET_* variables how many processes and machines there are, and where to meet. */}}
- torchrun
- -m
- hilum
{{- else if gt $processes 1 }}
- torchrun
- --standalone
- --nproc-per-node={{ $processes }}
- -m
- hilum
{{- else }}
- hilum
{{- end }}
- train
- {{ .network }}
- --data=/data{{ with $training.data.folder }}/{{ . }}{{ end }}
- --recipe={{ $training.recipe }}
- --device={{ ternary "cuda" "cpu" (gt (int $training.gpus) 0) }}
- --seed={{ int $training.seed }}
{{- with $training.epochs }}
- --epochs={{ int . }}
{{- end }}
{{- with $training.maxMinutes }}
- --max-minutes={{ . }}
{{- end }}
{{- with $training.weights }}
- --weights={{ . }}
{{- end }}
{{- end }}

{{/* Pod of one training. Takes dict "context" $ "network" NAME "container" NAME. */}}
{{- define "hilum.training.pod" -}}
{{- $training := .context.Values.training -}}
# A pod that fails is replaced by another, which goes on from the last finished epoch.
restartPolicy: Never
serviceAccountName: {{ include "hilum.serviceAccountName" (dict "context" .context "component" "training" "account" $training.serviceAccount) }}
automountServiceAccountToken: false
# A service's address as a variable (HILUM_MLFLOW_PORT=tcp://…) would be read as a setting, and refused.
enableServiceLinks: false
{{- include "hilum.imagePullSecrets" .context | nindent 0 }}
securityContext:
  {{- include "hilum.podSecurityContext" .context | nindent 2 }}
{{- with $training.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
# The run is marked as ended in MLflow before the pod is killed.
terminationGracePeriodSeconds: 60
containers:
  - name: {{ .container }}
    image: {{ include "hilum.training.image" .context | quote }}
    imagePullPolicy: {{ $training.image.pullPolicy }}
    command:
      {{- include "hilum.training.command" . | nindent 6 }}
    env:
      {{- include "hilum.mlflowClientEnv" .context | nindent 6 }}
      - name: HILUM_HOME
        value: /var/lib/hilum
      {{- with $training.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    securityContext:
      {{- include "hilum.containerSecurityContext" .context | nindent 6 }}
    resources:
      {{- $resources := deepCopy $training.resources }}
      {{- if gt (int $training.gpus) 0 }}
      {{- $gpus := dict $training.gpuResource (int $training.gpus) }}
      {{- $resources = mergeOverwrite $resources (dict "limits" (merge $gpus (default dict $resources.limits))) }}
      {{- end }}
      {{- toYaml $resources | nindent 6 }}
    volumeMounts:
      - name: data
        mountPath: /data
        readOnly: true
      - name: home
        mountPath: /var/lib/hilum
      - name: tmp
        mountPath: /tmp
      - name: shm
        mountPath: /dev/shm
volumes:
  - name: data
    persistentVolumeClaim:
      claimName: {{ $training.data.existingClaim }}
      readOnly: true
  - name: home
    {{- if $training.persistence.enabled }}
    persistentVolumeClaim:
      claimName: {{ default (printf "%s-training-%s" (include "hilum.fullname" .context) .network) $training.persistence.existingClaim }}
    {{- else }}
    emptyDir: {}
    {{- end }}
  - name: tmp
    emptyDir: {}
  # Batches pass from the loader's processes to the trainer through shared memory.
  - name: shm
    emptyDir:
      medium: Memory
      sizeLimit: {{ $training.sharedMemory }}
{{- include "hilum.placement" $training }}
{{- end }}

{{/* Specification of a Job (batch/v1) of one training. Takes dict "context" $ "network" NAME. */}}
{{- define "hilum.training.job" -}}
{{- $training := .context.Values.training -}}
backoffLimit: {{ $training.backoffLimit }}
{{- with $training.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ . }}
{{- end }}
podFailurePolicy:
  rules:
    # A node that is drained or a pod that is preempted costs no try.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    # Status 2: the command, the data or the recipe is wrong, and will be at the next try.
    - action: FailJob
      onExitCodes:
        operator: In
        values: [2]
template:
  metadata:
    labels:
      {{- include "hilum.selectorLabels" (dict "context" .context "component" "training") | nindent 6 }}
      hilum/network: {{ .network }}
    {{- with $training.podAnnotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    {{- include "hilum.training.pod" (merge (dict "container" "training") .) | nindent 4 }}
{{- end }}
