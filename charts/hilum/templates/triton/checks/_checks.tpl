{{/* Values that the schema allows one by one and that together make no working release. Each is refused with a
sentence that names the value, what is wrong and what to do. */}}

{{- define "hilum.check" -}}
{{- include "hilum.check.release" . -}}
{{- include "hilum.check.accelerator" . -}}
{{- include "hilum.check.autoscaling" . -}}
{{- include "hilum.check.storage" . -}}
{{- include "hilum.check.access" . -}}
{{- include "hilum.check.operation" . -}}
{{- include "hilum.network.check" . -}}
{{- include "hilum.check.kserve" . -}}
{{- include "hilum.check.apis" . -}}
{{- end }}

{{/* Oldest Triton that the chart runs. NVIDIA's bulletin 5828 of 20 May 2026 names CVE-2026-24206 and 24207
(authentication bypassed, 9.8), 24146, 24208 and 24209 (denial of service), without a release in what could be read here:
26.07 is the first that was built after it with a month to spare. Older holes, mended by 25.07: CVE-2025-23319, 23320,
23334 (take-over through shared memory's names and the Python backend). */}}
{{- define "hilum.triton.floor" -}}26.07{{- end }}

{{- define "hilum.check.release" -}}
{{- $release := include "hilum.triton.release" . -}}
{{- $told := include "hilum.triton.tagRelease" . -}}
{{- $floor := include "hilum.triton.floor" . -}}
{{- if not $release -}}
{{- fail (printf "triton.version: neither the tag (triton.image.tag: %q) nor a digest tells which Triton the image has. Set triton.version to its release (YY.MM), %s or newer." .Values.triton.image.tag $floor) -}}
{{- end -}}
{{- range list $release $told -}}
{{- if and . (lt (replace "." "" . | atoi) (replace "." "" $floor | atoi)) -}}
{{- fail (printf "triton.image: Triton %s is older than %s, the oldest that is known to be later than NVIDIA's security bulletin 5828 of May 2026, by which whoever reaches its ports gets past authentication (CVE-2026-24206, CVE-2026-24207); before 25.07 also through shared memory (CVE-2025-23319, CVE-2025-23320, CVE-2025-23334). Build the image FROM tritonserver:%s-py3 or newer." . $floor $floor) -}}
{{- end -}}
{{- end -}}
{{- if and $told (ne $release $told) -}}
{{- fail (printf "triton.version is %s, but triton.image.tag (%s) says %s. Leave triton.version empty where the tag tells." $release .Values.triton.image.tag $told) -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.accelerator" -}}
{{- with .Values.triton.accelerator -}}
{{- $networks := include "hilum.triton.networks" $ -}}
{{- $resource := include "hilum.triton.resource" $ -}}
{{- $image := printf "%s:%s" $.Values.triton.image.repository $.Values.triton.image.tag -}}
{{- if eq .kind "cpu" -}}
{{- if ne $networks "cpu" -}}
{{- fail (printf "triton.accelerator.networks is %s, which needs a GPU, but triton.accelerator.kind is cpu. Set kind to gpu, mig or shared, or networks to cpu." $networks) -}}
{{- end -}}
{{- if .resource -}}
{{- fail (printf "triton.accelerator.resource is %s, but triton.accelerator.kind is cpu, which asks for none. Set kind to gpu, mig or shared, or leave resource empty." .resource) -}}
{{- end -}}
{{- else -}}
{{- if eq $networks "cpu" -}}
{{- fail (printf "triton.accelerator.networks is cpu, but triton.accelerator.kind is %s: the pod would hold a GPU and not use it. Set kind to cpu, or networks to cuda or tensorrt_…." .kind) -}}
{{- end -}}
{{- if regexMatch "(^|[-_./:0-9])cpu($|[-_.:0-9])" $image -}}
{{- fail (printf "triton.image %s is an image without CUDA, but triton.accelerator.kind is %s: it would never use the GPU. Name an image FROM NVIDIA's full Triton, or set kind to cpu." $image .kind) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .kind "mig") (not (contains "/mig-" $resource)) -}}
{{- fail (printf "triton.accelerator.resource is %q, but triton.accelerator.kind is mig: name the slice as the device plugin does, as in nvidia.com/mig-1g.10gb (a cluster with the strategy `single` calls slices nvidia.com/gpu: set kind to gpu there)." $resource) -}}
{{- end -}}
{{- if and (ne .kind "mig") (contains "/mig-" $resource) -}}
{{- fail (printf "triton.accelerator.resource is %s, a MIG slice, but triton.accelerator.kind is %s. Set kind to mig." $resource .kind) -}}
{{- end -}}
{{- if and (eq .kind "shared") (gt (int .count) 1) -}}
{{- fail (printf "triton.accelerator.count is %d, but a shared GPU is asked for once: more gives no more of it, and device plugins refuse it. Set count to 1." (int .count)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.storage" -}}
{{- if not .Values.kserve.enabled -}}
{{- $pvc := .Values.modelRepository.pvc -}}
{{- $s3 := .Values.modelRepository.s3 -}}
{{- if and $pvc.enabled $s3.enabled -}}
{{- fail "modelRepository: pvc.enabled and s3.enabled are both true, but Triton reads from one place. Set one to false." -}}
{{- end -}}
{{- if not (or $pvc.enabled $s3.enabled) -}}
{{- fail "modelRepository: there is no storage for the models. Set pvc.enabled (a volume) or s3.enabled (a bucket) to true." -}}
{{- end -}}
{{- if and $s3.enabled (not $s3.url) -}}
{{- fail "modelRepository.s3.url is empty: set it to the bucket, as in s3://BUCKET/PREFIX." -}}
{{- end -}}
{{- if and $s3.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.egress.s3) -}}
{{- fail "networkPolicy.egress.s3 is empty, so Triton could not reach the bucket of modelRepository.s3.url. List where S3 answers, as in {ipBlock: {cidr: 10.0.0.0/8}}, and set networkPolicy.egress.s3Ports." -}}
{{- end -}}
{{- if and $pvc.enabled (eq $pvc.accessMode "ReadWriteOnce") -}}
{{- $why := "modelRepository.pvc.accessMode is ReadWriteOnce, which one node at a time can mount. Use a storage class with ReadWriteMany, or modelRepository.s3." -}}
{{- if and (eq .Values.autoscaling.kind "none") (gt (int .Values.triton.replicas) 1) -}}
{{- fail (printf "triton.replicas is %d, but %s" (int .Values.triton.replicas) $why) -}}
{{- end -}}
{{- if and (ne .Values.autoscaling.kind "none") (gt (int .Values.autoscaling.maxReplicas) 1) -}}
{{- fail (printf "autoscaling.maxReplicas is %d, but %s" (int .Values.autoscaling.maxReplicas) $why) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.access" -}}
{{- with .Values.triton -}}
{{- if not .adminKey.existingSecret -}}
{{- fail "triton.adminKey.existingSecret is empty: without a key, whoever reaches Triton could load models of their own. Make a Secret and name it: kubectl create secret generic hilum-admin-key --from-literal=admin-key=\"$(openssl rand -hex 32)\"." -}}
{{- end -}}
{{- if and .tls.enabled (not .tls.existingSecret) -}}
{{- fail "triton.tls.existingSecret is empty, but triton.tls.enabled is true: name the Secret with the certificate and its key." -}}
{{- end -}}
{{- if and .tls.existingSecret (not .tls.enabled) -}}
{{- fail (printf "triton.tls.existingSecret is %s, but triton.tls.enabled is false: gRPC would go unencrypted. Set enabled to true, or leave the Secret's name empty." .tls.existingSecret) -}}
{{- end -}}
{{- if and .tls.mutual (not .tls.enabled) -}}
{{- fail "triton.tls.mutual is true, but triton.tls.enabled is false: callers can show certificates over TLS only. Set enabled to true." -}}
{{- end -}}
{{- if and .tls.mutual (not .tls.clientCaKey) -}}
{{- fail "triton.tls.clientCaKey is empty, but triton.tls.mutual is true: name the Secret's key of the CA that callers' certificates must come from." -}}
{{- end -}}
{{- if and (eq .service.type "LoadBalancer") (not .tls.enabled) -}}
{{- fail "triton.service.type is LoadBalancer, but triton.tls.enabled is false: radiographs would leave the cluster unencrypted. Turn on TLS, or use ClusterIP behind an Ingress or a gateway." -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- fail "triton.ingress.host is empty, but triton.ingress.enabled is true: name the host." -}}
{{- end -}}
{{- if and .grpcRoute.enabled (not .grpcRoute.parentRefs) -}}
{{- fail "triton.grpcRoute.parentRefs is empty, but triton.grpcRoute.enabled is true: name the gateway, as in [{name: public, namespace: gateways}]." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.operation" -}}
{{- with .Values.triton -}}
{{- $none := list "0" "0%" "00%" -}}
{{- if and .podDisruptionBudget.enabled (has (toString .podDisruptionBudget.maxUnavailable) $none) -}}
{{- fail (printf "triton.podDisruptionBudget.maxUnavailable is %v: no pod could ever be moved, and draining a node would wait for ever. Set it to 1 or more." .podDisruptionBudget.maxUnavailable) -}}
{{- end -}}
{{- if and (has (toString .update.maxSurge) $none) (has (toString .update.maxUnavailable) $none) -}}
{{- fail "triton.update: maxSurge and maxUnavailable are both 0, so no pod could ever be replaced. Set one to 1 or more: maxUnavailable where no GPU is to spare." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.autoscaling" -}}
{{- with .Values.autoscaling -}}
{{- if and (ne .kind "keda") .keda.serverAddress -}}
{{- fail (printf "autoscaling.keda.serverAddress is set, but autoscaling.kind is %s: one autoscaler only, or they would undo each other's work. Set kind to keda, or leave serverAddress empty." .kind) -}}
{{- end -}}
{{- if ne .kind "none" -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %d, more than autoscaling.maxReplicas (%d)." (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if and (eq .kind "keda") (not .keda.serverAddress) -}}
{{- fail "autoscaling.keda.serverAddress is empty, but autoscaling.kind is keda: name Prometheus' address, as in http://prometheus-operated.monitoring.svc:9090." -}}
{{- end -}}
{{- if $.Values.kserve.enabled -}}
{{- fail (printf "autoscaling.kind is %s, but kserve.enabled is true: KServe makes the Deployments, and a canary list takes no autoscaler. Set kind to none, and triton.replicas to what is needed." .kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "hilum.check.kserve" -}}
{{- with .Values.kserve -}}
{{- if and (not .enabled) .storageUri -}}
{{- fail "kserve.storageUri is set, but kserve.enabled is false. Set enabled to true, or leave storageUri empty: Triton's own Deployment reads modelRepository." -}}
{{- end -}}
{{- if .enabled -}}
{{- if not .storageUri -}}
{{- fail "kserve.storageUri is empty: name where `hilum rollout kserve` writes releases, as in s3://models/releases." -}}
{{- end -}}
{{- if and .canary.percent (not .canary.release) -}}
{{- fail (printf "kserve.canary.percent is %d, but kserve.canary.release is 0: name the release that gets this share." (int .canary.percent)) -}}
{{- end -}}
{{- if eq (int .release) (int .canary.release) -}}
{{- fail (printf "kserve.canary.release is %d, which is kserve.release too: a canary is another release." (int .release)) -}}
{{- end -}}
{{- if $.Values.triton.tls.enabled -}}
{{- fail "triton.tls.enabled is true, but kserve.enabled too: KServe's gateway and probes speak to the pods without TLS. Encrypt at the gateway or by a service mesh, and set triton.tls.enabled to false." -}}
{{- end -}}
{{- if or $.Values.triton.ingress.enabled $.Values.triton.grpcRoute.enabled -}}
{{- fail "triton.ingress or triton.grpcRoute is enabled, but kserve.enabled is true: KServe makes the way in itself, and shares traffic there. Set both to false." -}}
{{- end -}}
{{- if and $.Values.networkPolicy.enabled (not (hasPrefix "pvc://" .storageUri)) (not $.Values.networkPolicy.egress.s3) -}}
{{- fail "networkPolicy.egress.s3 is empty, so KServe's storage initialiser could not reach kserve.storageUri. List where the bucket answers, as in {ipBlock: {cidr: 10.0.0.0/8}}." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether an object of the Prometheus operator is made. Takes dict "context" $ "field" its name in `monitoring`
"kind" KIND; gives "true" or nothing. */}}
{{- define "hilum.monitored" -}}
{{- $wanted := get (get .context.Values.monitoring .field) "enabled" | toString -}}
{{- $there := .context.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") $there) -}}true{{- end -}}
{{- end }}

{{- define "hilum.check.apis" -}}
{{- $missing := "%s needs the API %s, which this cluster does not have: install %s first%s. (helm template learns of it by --api-versions %s.)" -}}
{{- range $field := list "podMonitor" "rules" -}}
{{- $wanted := get (get $.Values.monitoring $field) "enabled" | toString -}}
{{- if and (eq $wanted "true") (not ($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail (printf $missing (printf "monitoring.%s.enabled: true" $field) "monitoring.coreos.com/v1" "the Prometheus operator" ", or set it to auto" "monitoring.coreos.com/v1") -}}
{{- end -}}
{{- end -}}
{{- if .Values.kserve.enabled -}}
{{- range list "serving.kserve.io/v1beta1" "serving.kserve.io/v1alpha1" -}}
{{- if not ($.Capabilities.APIVersions.Has .) -}}
{{- fail (printf $missing "kserve.enabled: true" . "KServe" ", or set kserve.enabled to false" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.kind "keda") (not (.Capabilities.APIVersions.Has "keda.sh/v1alpha1")) -}}
{{- fail (printf $missing "autoscaling.kind: keda" "keda.sh/v1alpha1" "KEDA" ", or set it to hpa or none" "keda.sh/v1alpha1") -}}
{{- end -}}
{{- if and .Values.triton.grpcRoute.enabled (not (.Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1")) -}}
{{- fail (printf $missing "triton.grpcRoute.enabled: true" "gateway.networking.k8s.io/v1" "the Gateway API" ", or use triton.ingress" "gateway.networking.k8s.io/v1") -}}
{{- end -}}
{{- end }}
