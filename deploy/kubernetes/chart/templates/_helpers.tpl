{{/* Definitions shared by several templates: names, labels, the pod. */}}

{{/* The name of every object: "rekeyd" for a release of that name. */}}
{{- define "rekeyd.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels of the selectors, which an upgrade can't change. */}}
{{- define "rekeyd.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rekeyd.labels" -}}
{{ include "rekeyd.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "rekeyd.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The pod's template. The chart's labels and annotations override those of the values, so that the selectors and the checksum are kept. */}}
{{- define "rekeyd.podTemplate" -}}
{{- $labels := include "rekeyd.selectorLabels" . | fromYaml -}}
{{- if .Values.identity.clientId -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
{{- /* The daemon reads its configuration at start, so a changed one needs a new pod. */ -}}
{{- $annotations := dict "checksum/config" (.Values.config | sha256sum) -}}
{{- $isDaemon := eq .Values.mode "daemon" -}}
metadata:
  labels:
    {{- merge $labels .Values.podLabels | toYaml | nindent 4 }}
  annotations:
    {{- merge $annotations .Values.podAnnotations | toYaml | nindent 4 }}
spec:
  {{- if not $isDaemon }}
  restartPolicy: Never
  {{- end }}
  serviceAccountName: {{ include "rekeyd.fullname" . }}
  # Workload identity mounts its own token, for Entra only.
  automountServiceAccountToken: false
  # Not needed, and the variables of a service named rekeyd-… would be read as configuration.
  enableServiceLinks: false
  # Longer than reconcile.shutdown_grace (25s), in which the daemon finishes its running work.
  terminationGracePeriodSeconds: 40
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    # Lets the process read files that are mounted for its group only.
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: rekeyd
      image: {{ include "rekeyd.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- if $isDaemon }}
      args:
        - run
      {{- else }}
      args:
        - sweep
        - --limit
        - {{ int .Values.sweep.limitMinutes }}m
      {{- end }}
      {{- if or $isDaemon .Values.extraEnv }}
      env:
        {{- if $isDaemon }}
        # Health and metrics, set here because the probes below use this port; everything else is in rekeyd.toml.
        - name: REKEYD_HEALTH__LISTEN
          value: 0.0.0.0:9090
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- if $isDaemon }}
      ports:
        - name: health
          containerPort: 9090
          protocol: TCP
      livenessProbe:
        httpGet:
          path: /livez
          port: health
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Ready once Graph and every vault have answered.
      readinessProbe:
        httpGet:
          path: /readyz
          port: health
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        privileged: false
        capabilities:
          drop:
            - ALL
      volumeMounts:
        - name: config
          mountPath: /etc/rekeyd
          readOnly: true
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "rekeyd.fullname" . }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
