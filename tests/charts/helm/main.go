// Command helm is Helm itself, made from its module as its own main package makes it.
package main

import (
	"errors"
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth"

	helm "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

func main() {
	kube.ManagedFieldsManager = "helm"
	command, err := helm.NewRootCmd(os.Stdout, os.Args[1:], helm.SetupLogging)
	if err == nil {
		err = command.Execute()
	}
	if failed, known := errors.AsType[helm.CommandError](err); known {
		os.Exit(failed.ExitCode)
	}
	if err != nil {
		os.Exit(1)
	}
}
