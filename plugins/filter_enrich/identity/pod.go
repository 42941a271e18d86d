package identity

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Pod is what is known of a pod: its own downward API, or the map kubernetes that Fluent Bit's filter of that name puts
// into its records.
type Pod struct {
	Name, Namespace, UID, Node, Cluster string
	Container, Image                    string
	Labels, Annotations                 map[string]string
	// OwnerKind and OwnerName are the pod's first owner reference.
	OwnerKind, OwnerName string
}

// Service are the attributes by which a pod names its service.
type Service struct{ Name, Version, InstanceID, Namespace string }

// The annotations and labels that OpenTelemetry reads.
const (
	annotationPrefix = "resource.opentelemetry.io/"
	labelInstance    = "app.kubernetes.io/instance"
	labelName        = "app.kubernetes.io/name"
	labelVersion     = "app.kubernetes.io/version"
	labelHash        = "pod-template-hash"
)

// WantedLabel says that a label of that name is one that Service reads.
func WantedLabel(name string) bool {
	return name == labelInstance || name == labelName || name == labelVersion || name == labelHash
}

// WantedAnnotation says the same of annotations.
func WantedAnnotation(name string) bool { return strings.HasPrefix(name, annotationPrefix) }

// Service is how OpenTelemetry names the service of a pod. For the name: annotation, the labels instance and name,
// deployment, replica set, stateful set, daemon set, cron job, job, pod, container. For the version: annotation, label,
// the image's tag or digest. For the instance: annotation, else namespace.pod.container.
// https://opentelemetry.io/docs/specs/semconv/non-normative/k8s-attributes/
func (p *Pod) Service() Service {
	s := Service{
		Name: cmp.Or(p.Annotations[annotationPrefix+"service.name"], p.Labels[labelInstance], p.Labels[labelName],
			p.workload(), p.Name, p.Container),
		Version:    cmp.Or(p.Annotations[annotationPrefix+"service.version"], p.Labels[labelVersion], imageVersion(p.Image)),
		InstanceID: p.Annotations[annotationPrefix+"service.instance.id"],
		Namespace:  p.Annotations[annotationPrefix+"service.namespace"],
	}
	if s.InstanceID == "" && p.Namespace != "" && p.Name != "" && p.Container != "" {
		s.InstanceID = p.Namespace + "." + p.Name + "." + p.Container
	}
	return s
}

// workload is the name of what made the pod. A replica set is called after its deployment, with the hash of the pod's
// template behind it, and a pod of it has five more characters; where the hash is known no owner reference is needed.
// A job of a cron job has its time, 8 to 10 digits, behind the cron job's name.
func (p *Pod) workload() string {
	hash := p.Labels[labelHash]
	if p.OwnerKind == "ReplicaSet" || p.OwnerKind == "" && hash != "" {
		set := p.OwnerName
		if set == "" {
			if i := strings.LastIndexByte(p.Name, '-'); i > 0 {
				set = p.Name[:i]
			}
		}
		if deployment, ok := strings.CutSuffix(set, "-"+hash); ok && hash != "" && deployment != "" {
			return deployment
		}
		return p.OwnerName
	}
	if p.OwnerKind == "Job" {
		if i := strings.LastIndexByte(p.OwnerName, '-'); i > 0 {
			if digits := p.OwnerName[i+1:]; len(digits) >= 8 && len(digits) <= 10 && strings.Trim(digits, "0123456789") == "" {
				return p.OwnerName[:i]
			}
		}
	}
	return p.OwnerName
}

// imageVersion is the tag of an image, else its digest.
func imageVersion(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.Contains(name[i:], "/") {
		return name[i+1:]
	}
	return digest
}

// attributes are what the pod says of itself.
func (p *Pod) attributes() []Attribute {
	s := p.Service()
	attrs := add(nil, "service.name", s.Name)
	attrs = add(attrs, "service.version", s.Version)
	attrs = add(attrs, "service.namespace", s.Namespace)
	attrs = add(attrs, "service.instance.id", s.InstanceID)
	attrs = add(attrs, "k8s.cluster.name", p.Cluster)
	attrs = add(attrs, "k8s.namespace.name", p.Namespace)
	attrs = add(attrs, "k8s.pod.name", p.Name)
	attrs = add(attrs, "k8s.pod.uid", p.UID)
	attrs = add(attrs, "k8s.node.name", p.Node)
	attrs = add(attrs, "k8s.container.name", p.Container)
	for _, key := range slices.Sorted(maps.Keys(p.Annotations)) {
		if name, ok := strings.CutPrefix(key, annotationPrefix); ok {
			attrs = add(attrs, current(name), p.Annotations[key])
		}
	}
	return merge(attrs)
}
