// Program flux is the parts of Flux that meet a release, in one place.
//
// The first argument names the part: `status` says what kstatus, by which Flux waits for health,
// makes of objects; `apply` keeps a namespace as a folder of a Git repository has it, by Flux's own
// apply engine with the options of its kustomize-controller, and prunes as that does; `wait` is its
// health check; `drift` says what its helm-controller would correct.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/ssa"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	group      = "kustomize.toolkit.fluxcd.io"
	controller = "kustomize-controller"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: flux status|apply|wait|drift [flags]"))
	}
	var err error
	switch os.Args[1] {
	case "status":
		err = statuses()
	case "apply":
		err = applyForever(os.Args[2:])
	case "wait":
		err = wait(os.Args[2:])
	case "drift":
		err = drift(os.Args[2:])
	default:
		err = fmt.Errorf("there is no part %q: status, apply, wait or drift", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// statuses reads objects from standard input, one JSON document a line, and answers each with a line.
func statuses() error {
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		var content json.RawMessage
		if err := decoder.Decode(&content); err != nil {
			return err
		}
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON(content); err != nil {
			return err
		}
		found, err := status.Compute(obj)
		if err != nil {
			return err
		}
		said := map[string]string{"status": found.Status.String(), "message": found.Message}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
	return nil
}

// told is one line of output: what one apply came to.
type told struct {
	Changed []string `json:"changed"`
	Skipped []string `json:"skipped"`
	Pruned  []string `json:"pruned"`
	Kept    []string `json:"kept"`
	Error   string   `json:"error,omitempty"`
}

func applyForever(arguments []string) error {
	flags := flag.NewFlagSet("apply", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file to reach the cluster with")
	from := &source{}
	flags.StringVar(&from.repository, "repository", "", "folder of the Git repository")
	flags.StringVar(&from.render, "render", "", "program that prints what a folder comes to at a revision")
	flags.StringVar(&from.folder, "folder", "", "folder with the manifests, in the repository")
	namespace := flags.String("namespace", "", "namespace that they go to")
	every := flags.Duration("every", time.Second, "time between two applies")
	_ = flags.Parse(arguments)
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	reach, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	manager := ssa.NewResourceManager(reach, nil, ssa.Owner{Field: controller, Group: group})
	encoder := json.NewEncoder(os.Stdout)
	for ticker := time.NewTicker(*every); ; <-ticker.C {
		said, err := apply(manager, from, *namespace)
		if err != nil {
			said.Error = err.Error()
		}
		if err := encoder.Encode(said); err != nil {
			return err
		}
	}
}

func apply(manager *ssa.ResourceManager, from *source, namespace string) (told, error) {
	said := told{Changed: []string{}, Skipped: []string{}, Pruned: []string{}, Kept: []string{}}
	objects, err := from.manifests()
	if err != nil {
		return said, err
	}
	for _, obj := range objects {
		obj.SetNamespace(namespace)
	}
	manager.SetOwnerLabels(objects, "shop", "flux-system")
	changes, err := manager.ApplyAllStaged(context.Background(), objects, options())
	if changes == nil {
		return said, err
	}
	for _, entry := range changes.Entries {
		switch entry.Action {
		case ssa.SkippedAction:
			said.Skipped = append(said.Skipped, entry.Subject)
		case ssa.CreatedAction, ssa.ConfiguredAction:
			said.Changed = append(said.Changed, entry.Subject)
		}
	}
	if err != nil {
		return said, err
	}
	return said, prune(manager, from, objects, &said)
}

// prune is KustomizationReconciler.prune: it deletes what was applied before and is not any more.
func prune(
	manager *ssa.ResourceManager, from *source, objects []*unstructured.Unstructured, said *told,
) error {
	stale := missing(from.inventory, objects)
	from.inventory = objects
	changes, err := manager.DeleteAll(context.Background(), stale, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels("shop", "flux-system"),
		Exclusions:        map[string]string{group + "/prune": "disabled", group + "/reconcile": "disabled"},
	})
	for _, entry := range changes.Entries {
		switch entry.Action {
		case ssa.DeletedAction:
			said.Pruned = append(said.Pruned, entry.Subject)
		case ssa.SkippedAction:
			said.Kept = append(said.Kept, entry.Subject)
		}
	}
	return err
}

func missing(before, now []*unstructured.Unstructured) []*unstructured.Unstructured {
	there := map[string]bool{}
	for _, obj := range now {
		there[ssautils.FmtUnstructured(obj)] = true
	}
	stale := []*unstructured.Unstructured{}
	for _, obj := range before {
		if !there[ssautils.FmtUnstructured(obj)] {
			stale = append(stale, obj)
		}
	}
	return stale
}

// source is a repository, and what kustomize-controller makes of its newest revision.
type source struct {
	repository, render, folder string
	revision                   string
	content                    []byte
	inventory                  []*unstructured.Unstructured
}

// manifests gives what the folder comes to at HEAD.
func (s *source) manifests() ([]*unstructured.Unstructured, error) {
	answer, err := exec.Command("git", "-C", s.repository, "rev-parse", "HEAD").Output()
	if err != nil {
		return nil, fmt.Errorf("git rev-parse: %w", err)
	}
	if revision := strings.TrimSpace(string(answer)); revision != s.revision {
		content, err := exec.Command(s.render, revision, s.folder).Output()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", s.render, revision, err)
		}
		s.revision, s.content = revision, content
	}
	return ssautils.ReadObjects(bytes.NewReader(s.content))
}

// options are those of kustomize-controller (KustomizationReconciler.apply).
func options() ssa.ApplyOptions {
	selected := map[string]string{group + "/force": "enabled"}
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = map[string]string{
		group + "/reconcile": "disabled",
		group + "/ssa":       "ignore",
	}
	options.IfNotPresentSelector = map[string]string{group + "/ssa": "ifnotpresent"}
	options.ForceSelector = selected
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{
			"kubectl.kubernetes.io/last-applied-configuration", group + "/checksum",
		},
		Labels: []string{group + "/checksum"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: "Apply"},
			{Name: "kubectl", OperationType: "Update"},
			{Name: "before-first-apply", OperationType: "Update"},
			{Name: controller, OperationType: "Update"},
		},
		Exclusions: map[string]string{group + "/ssa": "merge"},
	}
	return options
}
