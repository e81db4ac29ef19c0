{{- define "gemini-agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Release `prod` gives `prod-gemini-agent`; a release that has the chart's name in its own keeps it. */}}
{{- define "gemini-agent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "gemini-agent.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gemini-agent.redisName" -}}
{{- printf "%s-redis" (.Release.Name | trunc 50 | trimSuffix "-") -}}
{{- end -}}

{{/* By these a Deployment knows its pods. They never change, and nothing of the chart's version is in them. */}}
{{- define "gemini-agent.selector" -}}
app: {{ include "gemini-agent.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "gemini-agent.redisSelector" -}}
app.kubernetes.io/name: redis
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "gemini-agent.partOf" -}}
app.kubernetes.io/part-of: gemini-agent
app.kubernetes.io/component: ai-agents
{{- end -}}

{{/* Labels of objects, not of pods: with the chart's version on pods its update would be a release. */}}
{{- define "gemini-agent.labels" -}}
{{ include "gemini-agent.partOf" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "gemini-agent.metadata" -}}
name: {{ include "gemini-agent.fullname" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "gemini-agent.labels" . | nindent 2 }}
{{- end -}}

{{- define "gemini-agent.image" -}}
{{- if eq .Values.image.tag "latest" -}}
{{- fail "image.tag: latest names no version, so no release could tell it from another; set the tag of one" -}}
{{- end -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "gemini-agent.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gemini-agent.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the keys; fails unless exactly one way to it is chosen. */}}
{{- define "gemini-agent.secret" -}}
{{- $secrets := .Values.secrets -}}
{{- $ways := list -}}
{{- if or $secrets.googleApiKey $secrets.databaseUrl $secrets.sentryDsn -}}
{{- $ways = append $ways "secrets.googleApiKey, databaseUrl and sentryDsn (a plain Secret)" -}}
{{- end -}}
{{- if $secrets.existingSecret -}}
{{- $ways = append $ways "secrets.existingSecret" -}}
{{- end -}}
{{- if $secrets.sealed -}}
{{- $ways = append $ways "secrets.sealed" -}}
{{- end -}}
{{- if $secrets.externalSecret.enabled -}}
{{- $ways = append $ways "secrets.externalSecret.enabled" -}}
{{- end -}}
{{- if eq (len $ways) 0 -}}
{{- fail "secrets: nothing says where the keys come from; set secrets.externalSecret.enabled to true, or one of secrets.googleApiKey, secrets.existingSecret and secrets.sealed" -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "secrets: %s are set, and two must not own one Secret; keep one and empty the others (secrets.externalSecret.enabled is true unless you set it to false)" (join " and " $ways)) -}}
{{- end -}}
{{- default (printf "%s-secrets" (include "gemini-agent.fullname" .)) $secrets.existingSecret -}}
{{- end -}}

{{/* Where Redis is; empty where there is none. */}}
{{- define "gemini-agent.redisHost" -}}
{{- if and .Values.redis.enabled .Values.redis.host -}}
{{- fail (printf "redis.host: %q is set while redis.enabled is true; set redis.enabled to false for a Redis that is there already, or leave redis.host out" .Values.redis.host) -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- printf "%s-master" (include "gemini-agent.redisName" .) -}}
{{- else -}}
{{- .Values.redis.host -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with Redis' password; empty where it asks for none. */}}
{{- define "gemini-agent.redisSecret" -}}
{{- $auth := .Values.redis.auth -}}
{{- if and $auth.password $auth.existingSecret -}}
{{- fail "redis.auth: password and existingSecret are both set; keep one" -}}
{{- end -}}
{{- if and (or $auth.password $auth.existingSecret) (not $auth.enabled) -}}
{{- fail "redis.auth.enabled: false, while redis.auth has a password; set it to true, or empty redis.auth.password and redis.auth.existingSecret" -}}
{{- end -}}
{{- if $auth.enabled -}}
{{- if not (or $auth.password $auth.existingSecret) -}}
{{- fail "redis.auth: enabled without a password; set redis.auth.existingSecret to the name of a Secret, or redis.auth.password" -}}
{{- end -}}
{{- default (include "gemini-agent.redisName" .) $auth.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* The variable with it: (list $ name). */}}
{{- define "gemini-agent.redisPassword" -}}
{{- $root := index . 0 -}}
{{- $variable := index . 1 -}}
{{- with include "gemini-agent.redisSecret" $root }}
- name: {{ $variable | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ . | quote }}
      key: {{ $root.Values.redis.auth.existingSecretPasswordKey | quote }}
{{- end }}
{{- end -}}

{{/* What a container may do: nothing but its work. */}}
{{- define "gemini-agent.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
