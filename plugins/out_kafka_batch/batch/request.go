package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// The requests of this package. Each is a type of its own, so that kafka-go does nothing with it but to find a
// connection: its own metadata requests are answered from a cache, its own InitProducerId first looks for the
// coordinator of a transaction that does not exist, and its own produce requests copy every batch and go where its
// cached metadata says.

// metadataRequest asks any broker. It makes its own exchange, because kafka-go takes every answer of the usual type for
// one to a request of its own.
type metadataRequest struct {
	metadata.Request
	clientID string

	version int16
}

type metadataResponse struct{ *metadata.Response }

// Required implements protocol.RawExchanger: it is told the versions of the connection before RawExchange.
func (r *metadataRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Metadata]
	return true
}

// RawExchange implements protocol.RawExchanger.
func (r *metadataRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	m, err := protocol.RoundTrip(rw, r.version, correlationID, r.clientID, &r.Request)
	if err != nil {
		return nil, err
	}
	res, ok := m.(*metadata.Response)
	if !ok {
		return nil, errors.New("the answer is none to Metadata")
	}
	return metadataResponse{res}, nil
}

// producerIDRequest asks any broker.
type producerIDRequest initproducerid.Request

// ApiKey implements protocol.Message.
func (*producerIDRequest) ApiKey() protocol.ApiKey { return protocol.InitProducerId }

// produceRequest brings sealed batches to the leader of their partitions, at most one for each. It writes itself.
type produceRequest struct {
	leader   int32
	acks     int16
	timeout  int32 // ms that the broker may take
	clientID string
	batches  []*sending // those of one topic stand together

	version int16
	state   atomic.Int32
}

// How far a request has come. kafka-go writes it from a goroutine of its own, which may still do so, or begin to, when
// the caller has stopped waiting.
const (
	requestWaits int32 = iota
	requestWrites
	requestWritten
	requestRevoked
)

// produceVersion is the first that has record batches; kafka-go reads answers up to 8.
const produceVersion = 3

var errRevoked = errors.New("the request was given up before it was written")

// ApiKey implements protocol.Message.
func (*produceRequest) ApiKey() protocol.ApiKey { return protocol.Produce }

// Broker implements protocol.BrokerMessage.
func (r *produceRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	if b, ok := c.Brokers[r.leader]; ok {
		return b, nil
	}
	return protocol.Broker{ID: -1}, kafka.BrokerNotAvailable
}

// Required implements protocol.RawExchanger: it is told the versions of the connection before RawExchange.
func (r *produceRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Produce]
	return true
}

// RawExchange implements protocol.RawExchanger: it writes the request and reads its answer.
func (r *produceRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if !r.state.CompareAndSwap(requestWaits, requestWrites) {
		return nil, errRevoked
	}
	defer r.state.Store(requestWritten)
	if r.version < produceVersion {
		return nil, fmt.Errorf("%w: the broker is older than Kafka 0.11", kafka.UnsupportedVersion)
	}
	if err := r.write(rw); err != nil {
		return nil, err
	}
	r.state.Store(requestWritten)
	if r.acks == 0 {
		return nil, nil // there is no answer
	}
	id, m, err := protocol.ReadResponse(rw, protocol.Produce, r.version)
	if err == nil && id != correlationID {
		err = fmt.Errorf("the answer is for another request (%d)", id)
	}
	return m, err
}

// revoke is called by whoever stops waiting. sent tells that a broker may have got some of it, reading that kafka-go
// may still be reading the batches.
func (r *produceRequest) revoke() (sent, reading bool) {
	if r.state.CompareAndSwap(requestWaits, requestRevoked) {
		return false, false
	}
	return true, r.state.Load() == requestWrites
}

// correlationID is the same for all: a connection carries one request at a time.
const correlationID = 1

// gathered is up to which size a batch is copied, to go in one write with its neighbours.
const gathered = 16 << 10

// write writes Produce v3 to v8, which are the same: a header (key, version, correlation id, client id), then
// transactional id, acks, timeout, topics, each with its partitions and their record sets.
func (r *produceRequest) write(w io.Writer) error {
	var b []byte
	total := 4 // patched below
	flush := func() error {
		_, err := w.Write(b)
		b = b[:0]
		return err
	}
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(protocol.Produce))
	b = binary.BigEndian.AppendUint16(b, uint16(r.version))
	b = binary.BigEndian.AppendUint32(b, correlationID)
	b = appendKafkaString(b, r.clientID)
	b = append(b, 0xff, 0xff) // no transaction
	b = binary.BigEndian.AppendUint16(b, uint16(r.acks))
	b = binary.BigEndian.AppendUint32(b, uint32(r.timeout))
	topics, names := 0, 0
	for i, s := range r.batches {
		if i == 0 || s.topic != r.batches[i-1].topic {
			topics++
			names += 2 + len(s.topic) + 4
		}
		total += 4 + len(s.wire)
	}
	total += len(b) - 4 + 4 + names
	binary.BigEndian.PutUint32(b, uint32(total-4))
	b = binary.BigEndian.AppendUint32(b, uint32(topics))
	for i, s := range r.batches {
		if i == 0 || s.topic != r.batches[i-1].topic {
			n := i + 1
			for n < len(r.batches) && r.batches[n].topic == s.topic {
				n++
			}
			b = appendKafkaString(b, s.topic)
			b = binary.BigEndian.AppendUint32(b, uint32(n-i))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(s.partition))
		if len(s.wire) <= gathered {
			b = append(b, s.wire...) // its length stands in front of it already
			if len(b) < 4*gathered {
				continue
			}
		}
		if err := flush(); err != nil {
			return err
		}
		if len(s.wire) > gathered {
			if _, err := w.Write(s.wire); err != nil {
				return err
			}
		}
	}
	if len(b) > 0 {
		return flush()
	}
	return nil
}

// requestSize is the size of a request with a single batch, as brokers hold it against their limit: without the four bytes
// that tell it.
func requestSize(clientID, topic string, wire int) int {
	const fixed = 2 + 2 + 4 + 2 + 2 + 2 + 4 + 4 + 2 + 4 + 4
	return fixed + len(clientID) + len(topic) + wire
}

func appendKafkaString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
