{{- define "genesys-kafka.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "genesys-kafka.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "genesys-kafka.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "genesys-kafka.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: source-connector
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "genesys-kafka.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "genesys-kafka.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "genesys-kafka.image" -}}
{{- .Values.image.repository -}}:{{- default .Chart.AppVersion .Values.image.tag -}}
{{- with .Values.image.digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{/* A duration of the configuration in milliseconds; units as in docs/configuration.md. */}}
{{- define "genesys-kafka.milliseconds" -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^[0-9]+(ms|s|m|h|d)$" $text) -}}
{{- fail (printf "config.shutdown.grace: %s: not a duration such as 25s" $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit | int64) -}}
{{- end -}}

{{/* The connector's configuration: the user's, with the address that probes and Prometheus must reach. The connector itself checks the rest, strictly. */}}
{{- define "genesys-kafka.config" -}}
{{- range $key := list "name" "genesys" "kafka" "streams" -}}
{{- if not (get $.Values.config $key) -}}
{{- fail (printf "config.%s is required: see docs/configuration.md and helm/genesys-kafka/README.md" $key) -}}
{{- end -}}
{{- end -}}
{{- $config := deepCopy .Values.config -}}
{{- if hasKey $config "metrics" -}}
{{- fail "config.metrics is set by the chart: use metrics.address and metrics.port" -}}
{{- end -}}
{{- $grace := "25s" -}}
{{- with $config.shutdown -}}{{- $grace = default $grace .grace -}}{{- end -}}
{{- if ge (include "genesys-kafka.milliseconds" $grace | int64) (mul 1000 (int64 .Values.terminationGracePeriodSeconds)) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must exceed config.shutdown.grace (%s), or Kubernetes kills the connector before it has committed" (int64 .Values.terminationGracePeriodSeconds) $grace) -}}
{{- end -}}
{{- $_ := set $config "metrics" (dict "listen" (printf "%s:%d" .Values.metrics.address (int64 .Values.metrics.port))) -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Pod settings shared by the Deployment and the test: who runs, with which files. */}}
{{- define "genesys-kafka.podSettings" -}}
serviceAccountName: {{ include "genesys-kafka.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "genesys-kafka.fullname" . }}
{{- range .Values.secrets }}
  - name: {{ printf "secret-%s" .path }}
    secret:
      secretName: {{ .secretName }}
      defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "genesys-kafka.containerSettings" -}}
image: {{ include "genesys-kafka.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/genesys-kafka
    readOnly: true
{{- range .Values.secrets }}
  - name: {{ printf "secret-%s" .path }}
    mountPath: /run/secrets/{{ .path }}
    readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
