// Package manifests reads the Kubernetes files of conf strictly, as the API server would, and its tests hold them to what
// must be true of them.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// kinds are the objects that may be there, by apiVersion and kind.
var kinds = map[string]func() any{
	"v1 Namespace":                                    func() any { return new(corev1.Namespace) },
	"v1 ConfigMap":                                    func() any { return new(corev1.ConfigMap) },
	"v1 ServiceAccount":                               func() any { return new(corev1.ServiceAccount) },
	"apps/v1 Deployment":                              func() any { return new(appsv1.Deployment) },
	"apps/v1 DaemonSet":                               func() any { return new(appsv1.DaemonSet) },
	"rbac.authorization.k8s.io/v1 ClusterRole":        func() any { return new(rbacv1.ClusterRole) },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() any { return new(rbacv1.ClusterRoleBinding) },
	"monitoring.coreos.com/v1 PodMonitor":             func() any { return new(monitoringv1.PodMonitor) },
}

// Read returns the objects of a file or of a stream of documents, as pointers to the API's types. A key that a type
// does not have, one that is there twice and a kind that is not known are errors.
func Read(content []byte) ([]any, error) {
	var objects []any
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var head struct{ APIVersion, Kind string }
		if err := strict.Unmarshal(document, &head); err != nil {
			return nil, err
		}
		name := head.APIVersion + " " + head.Kind
		make, ok := kinds[name]
		if !ok {
			return nil, fmt.Errorf("%s is not known here", name)
		}
		object := make()
		if err := strict.UnmarshalStrict(document, object); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, object)
	}
}

// ReadFile is Read for a file. Errors name it.
func ReadFile(path string) ([]any, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := Read(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}
