package identity

import (
	"fmt"
	"strings"
)

// Naming is a convention for the names of attributes.
type Naming uint8

// The namings.
const (
	NamingOTel    Naming = iota // service.name, trace_id
	NamingECS                   // service.name, trace.id: Elastic Common Schema
	NamingDatadog               // service, dd.trace_id
	namings
)

var namingNames = [namings]string{"otel", "ecs", "datadog"}

// NamingNames are the names of the namings.
func NamingNames() []string { return namingNames[:] }

// ParseNaming is the naming of a name.
func ParseNaming(name string) (Naming, error) {
	for i, n := range namingNames {
		if strings.EqualFold(n, name) {
			return Naming(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no naming; allowed are %s", name, strings.Join(namingNames[:], ", "))
}

// renamed has what an attribute is called where that differs. What a naming has no name for keeps OpenTelemetry's: the
// attribute is worth more than the purity of the names.
var renamed = map[string][namings]string{
	"service.instance.id":         {NamingECS: "service.node.name"},
	"service.name":                {NamingDatadog: "service"},
	"service.version":             {NamingDatadog: "version"},
	"deployment.environment.name": {NamingECS: "service.environment", NamingDatadog: "env"},
	"host.name":                   {NamingDatadog: "host"},
	"host.arch":                   {NamingECS: "host.architecture"},
	"cloud.region":                {NamingDatadog: "region"},
	"cloud.availability_zone":     {NamingDatadog: "zone"},
	"k8s.cluster.name":            {NamingECS: "orchestrator.cluster.name", NamingDatadog: "kube_cluster_name"},
	"k8s.namespace.name":          {NamingECS: "kubernetes.namespace", NamingDatadog: "kube_namespace"},
	"k8s.pod.name":                {NamingECS: "kubernetes.pod.name", NamingDatadog: "pod_name"},
	"k8s.pod.uid":                 {NamingECS: "kubernetes.pod.uid"},
	"k8s.node.name":               {NamingECS: "kubernetes.node.name", NamingDatadog: "host"},
	"k8s.container.name":          {NamingECS: "kubernetes.container.name", NamingDatadog: "kube_container_name"},
	"container.id":                {NamingDatadog: "container_id"},
}

// Of is what the naming calls an attribute that OpenTelemetry calls name. A name that it does not know stays.
func (n Naming) Of(name string) string {
	if other := renamed[name][n]; other != "" {
		return other
	}
	return name
}

// Trace are the names of the trace's id, the span's id and the flags.
func (n Naming) Trace() [3]string {
	switch n {
	case NamingECS:
		return [3]string{"trace.id", "span.id", "trace.flags"}
	case NamingDatadog:
		return [3]string{"dd.trace_id", "dd.span_id", "dd.trace_flags"}
	}
	return [3]string{"trace_id", "span_id", "trace_flags"}
}
