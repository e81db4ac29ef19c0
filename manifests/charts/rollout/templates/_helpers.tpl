{{/* Labels of objects, not of pods: with the chart's version on pods its update would restart them. */}}
{{- define "rollout.chartLabels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "rollout.selector" -}}
app.kubernetes.io/name: rollout-controller
{{- end -}}

{{- define "rollout.metadata" -}}
name: rollout-controller
namespace: {{ .Release.Namespace | quote }}
labels:
  app.kubernetes.io/part-of: rollout
  {{- include "rollout.chartLabels" . | nindent 2 }}
{{- end -}}

{{- define "rollout.image" -}}
{{- if eq .Values.image.tag "latest" -}}
{{- fail "image.tag: latest names no version, so pods of one Deployment could differ; set the tag of one" -}}
{{- end -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* One object of the installation's files, with the chart's labels: (list $ object). */}}
{{- define "rollout.object" -}}
{{- $body := index . 1 -}}
{{- $labels := include "rollout.chartLabels" (index . 0) | fromYaml -}}
{{- $_ := set $body.metadata "labels" (merge $labels (default dict $body.metadata.labels)) -}}
{{- toYaml $body -}}
{{- end -}}

{{/* What counts in namespaces, as an object of the watched one: (list $ object). */}}
{{- define "rollout.narrowed" -}}
{{- $watched := (index . 0).Values.watchNamespace -}}
{{- $body := index . 1 -}}
{{- if and $watched (eq $body.metadata.name "rollout-controller") (hasPrefix "Cluster" $body.kind) -}}
{{- $_ := set $body "kind" (trimPrefix "Cluster" $body.kind) -}}
{{- $_ := set $body.metadata "namespace" $watched -}}
{{- if $body.roleRef -}}
{{- $_ := set $body.roleRef "kind" "Role" -}}
{{- end -}}
{{- end -}}
{{- include "rollout.object" . -}}
{{- end -}}
