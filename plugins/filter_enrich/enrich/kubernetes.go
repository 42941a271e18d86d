package enrich

import (
	"bytes"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/record"
)

// What a pod says of its service: the numbers of piecePod.
const (
	podName = iota
	podVersion
	podInstance
	podNamespace
	podParts
)

// podAttributes are the attributes of those numbers.
var podAttributes = [podParts]string{"service.name", "service.version", "service.instance.id", "service.namespace"}

// podField is the field in which Fluent Bit's kubernetes filter puts what it knows of a record's pod.
const podField = "kubernetes"

// service is what a pod says of its service, as text.
type service [podParts][]byte

// pods remembers what the maps of pods say, by the maps' bytes. It is emptied when it is full, which a node's pods, 110
// at the most as Kubernetes counts, do not do. Each editor has its own, so that no lock is needed: as many as calls there
// were at once.
type pods struct {
	last   []byte // the map that was asked for last, and its service
	answer *service
	known  map[string]*service
	size   int // of the maps in known
}

// maxPods and maxPodBytes bound what is remembered; a map can have tens of kilobytes of annotations.
const (
	maxPods     = 1024
	maxPodBytes = 8 << 20
)

var nobody service

// pod is what the record's kubernetes map says of its service.
func (e *editor) pod(body []byte) *service {
	m := e.field(podField, body)
	if m.Type() != record.Map {
		return &nobody
	}
	p := &e.pods
	if p.answer != nil && bytes.Equal(p.last, m) {
		return p.answer
	}
	s := p.known[string(m)]
	if s == nil {
		s = serviceOf(m)
		if p.known == nil || len(p.known) >= maxPods || p.size+len(m) > maxPodBytes {
			p.known, p.size = map[string]*service{}, 0
		}
		p.known[string(m)] = s
		p.size += len(m)
	}
	p.last, p.answer = append(p.last[:0], m...), s
	return s
}

// serviceOf reads the map that Fluent Bit's kubernetes filter makes. It allocates, once for each pod.
func serviceOf(m record.Value) *service {
	pod := identity.Pod{Labels: map[string]string{}, Annotations: map[string]string{}}
	texts := func(m record.Value, want func(string) bool, into map[string]string) {
		var f record.Fields
		for f.Reset(m); f.Next(); {
			if key, ok := f.Key.Text(); ok && want(string(key)) {
				into[string(key)] = string(f.Value.AppendText(nil))
			}
		}
	}
	var f record.Fields
	for f.Reset(m); f.Next(); {
		key, _ := f.Key.Text()
		switch string(key) {
		case "pod_name":
			pod.Name = string(f.Value.AppendText(nil))
		case "namespace_name":
			pod.Namespace = string(f.Value.AppendText(nil))
		case "container_name":
			pod.Container = string(f.Value.AppendText(nil))
		case "container_image":
			pod.Image = string(f.Value.AppendText(nil))
		case "labels":
			texts(f.Value, identity.WantedLabel, pod.Labels)
		case "annotations":
			texts(f.Value, identity.WantedAnnotation, pod.Annotations)
		case "ownerReferences":
			if kind, ok := ownerKind.Find(m); ok {
				pod.OwnerKind = string(kind.AppendText(nil))
			}
			if name, ok := ownerName.Find(m); ok {
				pod.OwnerName = string(name.AppendText(nil))
			}
		}
	}
	s := pod.Service()
	return &service{[]byte(s.Name), []byte(s.Version), []byte(s.InstanceID), []byte(s.Namespace)}
}

var (
	ownerKind = mustPath("$ownerReferences[0]['kind']")
	ownerName = mustPath("$ownerReferences[0]['name']")
)

func mustPath(s string) record.Path {
	p, err := record.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}
