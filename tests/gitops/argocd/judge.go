package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	applicationpkg "github.com/argoproj/argo-cd/v3/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/health"
	jsonpatch "github.com/evanphx/json-patch"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

// argocdNamespace is where Argo CD keeps its settings.
const argocdNamespace = "argocd"

// judged is what Argo CD shows of an object, and what its buttons would do.
type judged struct {
	Health  string            `json:"health"`
	Message string            `json:"message"`
	Actions map[string]action `json:"actions"`
	Error   string            `json:"error,omitempty"`
}

type action struct {
	Disabled bool     `json:"disabled"`
	Name     string   `json:"displayName"`
	Params   []string `json:"params"`
	Writes   []write  `json:"writes"`
	Error    string   `json:"error,omitempty"`
}

// write is what Argo CD's server sends to the cluster for an action.
type write struct {
	Operation string          `json:"operation"`
	Patch     json.RawMessage `json:"patch,omitempty"`
	Object    map[string]any  `json:"object,omitempty"`
}

// judge reads objects from standard input, one JSON document a line, and answers each with a line.
func judge(arguments []string) error {
	flags := flag.NewFlagSet("judge", flag.ExitOnError)
	configMap := flags.String("config-map", "", "file with argocd-cm")
	reason := flags.String("reason", "", "the parameter `reason` of each action")
	_ = flags.Parse(arguments)
	overrides, err := readOverrides(*configMap)
	if err != nil {
		return err
	}
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		var content map[string]any
		if err := decoder.Decode(&content); err != nil {
			return err
		}
		obj := &unstructured.Unstructured{Object: integers(content).(map[string]any)}
		if err := encoder.Encode(look(obj, overrides, *reason)); err != nil {
			return err
		}
	}
	return nil
}

// integers gives whole numbers the type that Kubernetes' own decoder gives them.
func integers(value any) any {
	switch known := value.(type) {
	case map[string]any:
		for key, one := range known {
			known[key] = integers(one)
		}
	case []any:
		for number, one := range known {
			known[number] = integers(one)
		}
	case float64:
		if known == float64(int64(known)) {
			return int64(known)
		}
	}
	return value
}

// readOverrides has Argo CD's own settings read an argocd-cm.
func readOverrides(file string) (map[string]v1alpha1.ResourceOverride, error) {
	found := &corev1.ConfigMap{}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(content, found); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: "argocd-cm", Namespace: argocdNamespace,
			Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"},
		},
		Data: found.Data,
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "argocd-secret", Namespace: argocdNamespace,
			Labels: map[string]string{"app.kubernetes.io/part-of": "argocd"},
		},
		Data: map[string][]byte{"admin.password": nil, "server.secretkey": nil},
	}
	client := fake.NewClientset(configMap, secret)
	return settings.NewSettingsManager(context.Background(), client, argocdNamespace).GetResourceOverrides()
}

func look(
	obj *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride, reason string,
) judged {
	status, err := health.GetResourceHealth(obj, lua.ResourceHealthOverrides(overrides))
	if err != nil {
		return judged{Error: err.Error()}
	}
	answer := judged{Actions: map[string]action{}}
	if status != nil {
		answer.Health, answer.Message = string(status.Status), status.Message
	}
	machine := lua.VM{ResourceOverrides: overrides}
	scripts, err := machine.GetResourceActionDiscovery(obj)
	if err != nil || len(scripts) == 0 {
		return answer
	}
	available, err := machine.ExecuteResourceActionDiscovery(obj, scripts)
	if err != nil {
		return judged{Error: err.Error()}
	}
	for _, one := range available {
		done, err := run(machine, obj, one, reason)
		if err != nil {
			done.Error = err.Error() // Argo CD's own action on a Deployment may want a parameter
		}
		answer.Actions[one.Name] = done
	}
	return answer
}

// run does what Argo CD's server does for an action (Server.RunResourceActionV2), up to the write.
func run(
	machine lua.VM, obj *unstructured.Unstructured, available v1alpha1.ResourceAction, reason string,
) (action, error) {
	answer := action{Disabled: available.Disabled, Name: available.DisplayName}
	var given []*applicationpkg.ResourceActionParameters
	for _, param := range available.Params {
		answer.Params = append(answer.Params, param.Name)
		if param.Name == "reason" && reason != "" {
			given = append(given, &applicationpkg.ResourceActionParameters{
				Name: &param.Name, Value: &reason,
			})
		}
	}
	definition, err := machine.GetResourceAction(obj, available.Name)
	if err != nil {
		return answer, err
	}
	impacted, err := machine.ExecuteResourceAction(obj, definition.ActionLua, given)
	if err != nil {
		return answer, err
	}
	for _, one := range impacted {
		written, err := written(obj, one)
		if err != nil {
			return answer, err
		}
		answer.Writes = append(answer.Writes, written)
	}
	return answer, nil
}

// written is Server.patchResource and Server.createResource, up to the call of the cluster.
func written(obj *unstructured.Unstructured, impacted lua.ImpactedResource) (write, error) {
	if impacted.K8SOperation == lua.CreateOperation {
		return write{Operation: "create", Object: impacted.UnstructuredObj.Object}, nil
	}
	before, err := json.Marshal(obj)
	if err != nil {
		return write{}, err
	}
	after, err := json.Marshal(impacted.UnstructuredObj)
	if err != nil {
		return write{}, err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	return write{Operation: "patch", Patch: patch}, err
}
