{{/* Specification of the Job that builds an engine, as training/export/tensorrt/job.py writes it by hand.
Takes dict "context" $ "build" one entry of tensorrt.builds. */}}
{{- define "hilum.tensorrt.job" -}}
{{- $tensorrt := .context.Values.tensorrt -}}
# A build that fails fails again.
backoffLimit: 0
activeDeadlineSeconds: {{ $tensorrt.timeoutSeconds }}
template:
  metadata:
    labels:
      {{- include "hilum.selectorLabels" (dict "context" .context "component" "tensorrt") | nindent 6 }}
  spec:
    restartPolicy: Never
    automountServiceAccountToken: false
    enableServiceLinks: false
    {{- include "hilum.imagePullSecrets" .context | nindent 4 }}
    securityContext:
      {{- include "hilum.podSecurityContext" .context | nindent 6 }}
    containers:
      - name: trtexec
        # Triton's own image: an engine loads only on the TensorRT that built it.
        image: {{ include "hilum.image" (dict "context" .context "image" .context.Values.triton.image) | quote }}
        imagePullPolicy: {{ .context.Values.triton.image.pullPolicy }}
        command: ["bash", "/builds/{{ .build.folder }}/build.sh"]
        securityContext:
          {{- include "hilum.containerSecurityContext" .context | nindent 10 }}
        resources:
          {{- $limits := merge (dict $tensorrt.gpuResource 1) (default dict $tensorrt.resources.limits) }}
          {{- toYaml (mergeOverwrite (deepCopy $tensorrt.resources) (dict "limits" $limits)) | nindent 10 }}
        volumeMounts:
          - name: builds
            mountPath: /builds
          - name: scratch
            mountPath: /tmp
    volumes:
      - name: builds
        persistentVolumeClaim:
          claimName: {{ $tensorrt.existingClaim }}
      - name: scratch
        emptyDir: {}
    {{- $selector := deepCopy $tensorrt.nodeSelector }}
    {{- with .build.computeCapability }}
    {{- $parts := splitList "." . }}
    {{- $selector = merge (dict "nvidia.com/gpu.compute.major" (first $parts) "nvidia.com/gpu.compute.minor" (last $parts)) $selector }}
    {{- end }}
    {{- include "hilum.placement" (dict "runtimeClassName" $tensorrt.runtimeClassName "nodeSelector" $selector "tolerations" $tensorrt.tolerations) | nindent 4 }}
{{- end }}
