{{/* The prefix of all names, which have 63 characters at most. */}}
{{- define "chatsystem.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* The properties of the image, as YAML. */}}
{{- define "chatsystem.application" -}}
{{ .Files.Get "application.yaml" }}
{{- end }}

{{/* The labels that select pods: of the release, or of a component. Takes the root, and its name. */}}
{{- define "chatsystem.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with rest . }}
app.kubernetes.io/component: {{ first . }}
{{- end }}
{{- end }}

{{/* All labels of an object. Takes the same. */}}
{{- define "chatsystem.labels" -}}
{{- $root := first . -}}
{{ include "chatsystem.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Name and labels of an object. Takes the root and the component. */}}
{{- define "chatsystem.metadata" -}}
name: {{ include "chatsystem.name" (first .) }}-{{ last . }}
labels:
  {{- include "chatsystem.labels" . | nindent 2 }}
{{- end }}

{{/* The content of a Secret made by the chart. */}}
{{- define "chatsystem.secretData" -}}
type: Opaque
stringData:
  {{- range $name, $value := .Values.secrets }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
{{- end }}

{{/* A setting as text: Helm reads the numbers of a values file as floats. */}}
{{- define "chatsystem.text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* The hosts that requests may name. Probes and Prometheus name the pod's address. */}}
{{- define "chatsystem.allowedHosts" -}}
{{- $service := printf "%s-web" (include "chatsystem.name" .) -}}
{{- $inside := list $service (printf "%s.%s.svc" $service .Release.Namespace) "$(POD_IP)" "[$(POD_IP)]" -}}
{{- join "," (concat (list .Values.settings.ALLOWED_HOSTS) (ternary .Values.ingress.hosts (list) .Values.ingress.enabled) $inside) -}}
{{- end }}

{{/* The environment of a container. Takes root, secret, and settings that override others. */}}
{{- define "chatsystem.environment" -}}
{{- $application := include "chatsystem.application" .root | fromYaml -}}
{{- $hosts := dict "ALLOWED_HOSTS" (include "chatsystem.allowedHosts" .root) -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
{{- range $name, $value := merge (dict) .settings $hosts $application.environment .root.Values.settings }}
- name: {{ $name }}
  value: {{ include "chatsystem.text" $value | quote }}
{{- end }}
{{- range $application.secrets.required }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $.secret }}, key: {{ . }} } }
{{- end }}
{{- range $application.secrets.optional }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $.secret }}, key: {{ . }}, optional: true } }
{{- end }}
{{- end }}

{{/* The beginning of a container. Takes root, command, tag, resources, secret, settings. */}}
{{- define "chatsystem.container" -}}
image: "{{ .root.Values.image.repository }}:{{ .tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: {{ splitList " " .command | toJson }}
env:
  {{- include "chatsystem.environment" . | nindent 2 }}
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: temporary, mountPath: /tmp }
  - { name: metrics, mountPath: {{ (include "chatsystem.application" .root | fromYaml).environment.PROMETHEUS_MULTIPROC_DIR }} }
{{- end }}

{{/*
The template of a component's pods. Takes root, component, command and values (of the component), and
optionally container (more fields of the container), stopSeconds, secret, restartPolicy, showsMetrics.
*/}}
{{- define "chatsystem.pod" -}}
{{- $application := include "chatsystem.application" .root | fromYaml -}}
{{- $secret := .secret | default .root.Values.existingSecret | default (printf "%s-settings" (include "chatsystem.name" .root)) -}}
{{- $container := dict "root" .root "secret" $secret "settings" dict -}}
metadata:
  labels:
    {{- include "chatsystem.labels" (list .root .component) | nindent 4 }}
  {{- with .root.Values.secrets }}
  annotations:
    # Processes read their settings once, so changed secrets need new pods.
    checksum/secrets: {{ toJson . | sha256sum }}
  {{- end }}
spec:
  terminationGracePeriodSeconds: {{ .stopSeconds | default $application.stopSeconds }}
  # Like `init` in docker-compose.yml: the first process of the pod reaps orphaned processes.
  shareProcessNamespace: true
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ $application.user }}
    runAsGroup: {{ $application.user }}
    fsGroup: {{ $application.user }}
    seccompProfile: { type: RuntimeDefault }
  {{- range $key := list "nodeSelector" "tolerations" }}
  {{- with index $.root.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: {{ $.root.Values.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "chatsystem.selector" (list $.root $.component) | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  containers:
    - name: {{ .component }}
      {{- include "chatsystem.container" (merge (dict "command" .command "resources" .values.resources "tag" .values.tag) $container) | nindent 6 }}
      {{- with .container }}
      {{- . | nindent 6 }}
      {{- end }}
    {{- if and .showsMetrics .root.Values.metrics.enabled }}
    # A web server only for Prometheus: it serves the metrics of the worker beside it.
    - name: metrics
      {{- include "chatsystem.container" (merge (dict "command" $application.commands.web "resources" .root.Values.metrics.resources "settings" (dict "WEB_CONCURRENCY" 1)) $container) | nindent 6 }}
      ports: [{ name: http, containerPort: {{ $application.port }} }]
    {{- end }}
  volumes:
    # In memory, like /tmp in docker-compose.yml.
    - { name: temporary, emptyDir: { medium: Memory, sizeLimit: 128Mi } }
    - { name: metrics, emptyDir: { sizeLimit: 1Gi } }
{{- end }}
