package main

import (
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"sigs.k8s.io/yaml"
)

// checkProject has Argo CD say whether it would take a project; unknown fields are refused.
func checkProject(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	project := &v1alpha1.AppProject{}
	if err := yaml.UnmarshalStrict(content, project); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return project.ValidateProject()
}
