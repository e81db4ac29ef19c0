package main

import (
	"encoding/json"
	"flag"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reference is an entry of a Kustomization's `healthChecks`.
type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
}

// wait reads `healthChecks` from standard input, one JSON document a line, and says what
// kustomize-controller's health check of all of them comes to (KustomizationReconciler.checkHealth): an empty error when it passes.
func wait(arguments []string) error {
	flags := flag.NewFlagSet("wait", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "file to reach the cluster with")
	timeout := flags.Duration("timeout", time.Second, "the Kustomization's timeout")
	_ = flags.Parse(arguments)
	set, err := read()
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	reach, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	poller := polling.NewStatusPoller(reach, reach.RESTMapper(), polling.Options{})
	manager := ssa.NewResourceManager(reach, poller, ssa.Owner{Field: controller, Group: group})
	said := map[string]string{"error": ""}
	options := ssa.WaitOptions{Interval: 200 * time.Millisecond, Timeout: *timeout, FailFast: true}
	if err := manager.WaitForSet(set, options); err != nil {
		said["error"] = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(said)
}

func read() (object.ObjMetadataSet, error) {
	set := object.ObjMetadataSet{}
	for decoder := json.NewDecoder(os.Stdin); decoder.More(); {
		one := reference{}
		if err := decoder.Decode(&one); err != nil {
			return nil, err
		}
		version, err := schema.ParseGroupVersion(one.APIVersion)
		if err != nil {
			return nil, err
		}
		kind := schema.GroupKind{Group: version.Group, Kind: one.Kind}
		set = append(set, object.ObjMetadata{Namespace: one.Namespace, Name: one.Name, GroupKind: kind})
	}
	return set, nil
}
