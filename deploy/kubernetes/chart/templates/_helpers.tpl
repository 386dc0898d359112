{{/* What several templates share: names, labels, the pod. */}}

{{/* The name of every object: "rekeyd" for a release of that name. */}}
{{- define "rekeyd.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the selectors ask for, which can't be changed in an upgrade. */}}
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

{{/* The pod's template. Ours win over those of the values: a selector or the checksum must not be lost. */}}
{{- define "rekeyd.podTemplate" -}}
{{- $labels := include "rekeyd.selectorLabels" . | fromYaml -}}
{{- if .Values.identity.clientId -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
{{- /* The daemon reads its configuration at its start, so another one needs another pod. */ -}}
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
  # Workload identity brings a token of its own, for Entra only.
  automountServiceAccountToken: false
  # Addresses of other services have no use here, and a service named rekeyd-… would look like configuration.
  enableServiceLinks: false
  # Longer than reconcile.shutdown_grace (25s), in which it ends what it has in hand.
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
    # So that it can read what is mounted for its group only.
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
        # Health and metrics for the probes below, which is why it stands here; everything else is in rekeyd.toml.
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
      # Ready once each vault and Graph answered.
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
