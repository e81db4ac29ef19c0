package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/ssa/jsondiff"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rule is an entry of a HelmRelease's spec.driftDetection.ignore.
type rule struct {
	Paths  []string          `json:"paths"`
	Target jsondiff.Selector `json:"target"`
}

// drift reads what a chart renders from standard input, and says by the name of each object which
// paths helm-controller would correct in it (its Diff in internal/action, with the same options).
func drift(arguments []string) error {
	flags := flag.NewFlagSet("drift", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file to reach the cluster with")
	namespace := flags.String("namespace", "", "namespace of the release")
	ignore := flags.String("ignore", "[]", "the rules, as JSON")
	_ = flags.Parse(arguments)
	var rules []rule
	if err := json.Unmarshal([]byte(*ignore), &rules); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	reach, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	objects, err := ssautils.ReadObjects(bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	for _, obj := range objects {
		obj.SetNamespace(*namespace)
	}
	set, err := jsondiff.UnstructuredList(context.Background(), reach, objects, drifting(rules)...)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(described(set))
}

func drifting(rules []rule) []jsondiff.ListOption {
	var ignored jsondiff.IgnoreRules
	for _, one := range rules {
		selector := one.Target
		ignored = append(ignored, jsondiff.IgnoreRule{Paths: one.Paths, Selector: &selector})
	}
	return []jsondiff.ListOption{
		jsondiff.FieldOwner("helm-controller"),
		jsondiff.ExclusionSelector{"helm.toolkit.fluxcd.io/driftDetection": "disabled"},
		jsondiff.Rationalize(true),
		jsondiff.Graceful(true),
		ignored,
	}
}

func described(set jsondiff.DiffSet) map[string][]string {
	found := map[string][]string{}
	for _, one := range set {
		paths := []string{}
		for _, operation := range one.Patch {
			paths = append(paths, operation.Path)
		}
		found[fmt.Sprintf("%s/%s", one.GroupVersionKind().Kind, one.GetName())] = paths
	}
	return found
}
