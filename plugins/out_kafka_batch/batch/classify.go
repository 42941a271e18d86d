package batch

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// verdict is what an answer to a produce request, or its absence, means for the batch.
type verdict uint8

const (
	acked        verdict = iota
	resend               // the same bytes again
	resendStale          // the same, with fresh metadata: the leader is another one, or not known
	corrupt              // the same bytes again, after some times split
	newProducer          // the same records under a new producer id, from sequence 0; only here can a duplicate arise
	split                // too large: in halves, down to the single record
	isolate              // some record is invalid: find it
	newTime              // the timestamp is refused: the records it concerns again with the present time
	operatorCase         // an operator's to mend: the same bytes again, until somebody does
	unknownCode          // not expected: the same bytes again, counted
)

var verdictNames = [...]string{"acked", "resend", "resend, stale metadata", "corrupt", "new producer", "split", "isolate",
	"new time", "operator", "unknown"}

func (v verdict) String() string { return verdictNames[v] }

// produceVerdicts is for error codes of a partition in a produce response. What is not in it is unknownCode: brokers
// invent codes, and dropping records for one that they will document tomorrow would be a loss.
var produceVerdicts = map[kafka.Error]verdict{
	0:                              acked,
	kafka.DuplicateSequenceNumber:  acked, // 46: an earlier attempt arrived
	kafka.InvalidMessage:           corrupt,
	kafka.RequestTimedOut:          resend,
	kafka.NotEnoughReplicas:        resend,
	kafka.KafkaStorageError:        resendStale, // 56: the disk failed, another replica will lead
	kafka.ThrottlingQuotaExceeded:  resend,
	kafka.UnknownTopicOrPartition:  resendStale,
	kafka.LeaderNotAvailable:       resendStale,
	kafka.NotLeaderForPartition:    resendStale,
	kafka.BrokerNotAvailable:       resendStale,
	kafka.ReplicaNotAvailable:      resendStale,
	kafka.NetworkException:         resendStale,
	kafka.FencedLeaderEpoch:        resendStale,
	kafka.UnknownLeaderEpoch:       resendStale,
	kafka.UnknownTopicID:           resendStale,
	kafka.InconsistentTopicID:      resendStale,
	kafka.OutOfOrderSequenceNumber: newProducer, // 45
	kafka.InvalidProducerEpoch:     newProducer, // 47
	kafka.InvalidProducerIDMapping: newProducer, // 49
	kafka.UnknownProducerId:        newProducer, // 59
	kafka.ProducerFenced:           newProducer, // 90: a definite refusal that no resending cures
	kafka.MessageSizeTooLarge:      split,       // 10
	kafka.RecordListTooLarge:       split,       // 18
	kafka.InvalidRecord:            isolate,     // 87
	kafka.InvalidTimestamp:         newTime,     // 32

	kafka.NotEnoughReplicasAfterAppend: resend, // the same sequence makes the second append a duplicate

	// Where records name the topic it is theirs: see act.
	kafka.InvalidTopic:                       operatorCase,
	kafka.InvalidRequiredAcks:                operatorCase,
	kafka.TopicAuthorizationFailed:           operatorCase,
	kafka.GroupAuthorizationFailed:           operatorCase,
	kafka.ClusterAuthorizationFailed:         operatorCase,
	kafka.UnsupportedSASLMechanism:           operatorCase,
	kafka.IllegalSASLState:                   operatorCase,
	kafka.UnsupportedVersion:                 operatorCase,
	kafka.InvalidConfiguration:               operatorCase,
	kafka.InvalidRequest:                     operatorCase,
	kafka.UnsupportedForMessageFormat:        operatorCase,
	kafka.PolicyViolation:                    operatorCase,
	kafka.TransactionalIDAuthorizationFailed: operatorCase,
	kafka.SecurityDisabled:                   operatorCase,
	kafka.BrokerAuthorizationFailed:          operatorCase,
	kafka.SASLAuthenticationFailed:           operatorCase,
	kafka.DelegationTokenAuthDisabled:        operatorCase,
	kafka.DelegationTokenNotFound:            operatorCase,
	kafka.DelegationTokenOwnerMismatch:       operatorCase,
	kafka.DelegationTokenRequestNotAllowed:   operatorCase,
	kafka.DelegationTokenAuthorizationFailed: operatorCase,
	kafka.DelegationTokenExpired:             operatorCase,
	kafka.UnsupportedCompressionType:         operatorCase, // 76
	kafka.PrincipalDeserializationFailure:    operatorCase,
}

// classify is produceVerdicts with its default.
func classify(code int16) verdict {
	if v, ok := produceVerdicts[kafka.Error(code)]; ok {
		return v
	}
	return unknownCode
}

// producerIDVerdicts is the same for InitProducerId. 31 and 35 are not in it: see producers.get.
var producerIDVerdicts = map[kafka.Error]verdict{
	kafka.LeaderNotAvailable:           resend,
	kafka.RequestTimedOut:              resend,
	kafka.BrokerNotAvailable:           resend,
	kafka.NetworkException:             resend,
	kafka.GroupLoadInProgress:          resend, // 14: the coordinator is starting
	kafka.GroupCoordinatorNotAvailable: resend,
	kafka.NotCoordinatorForGroup:       resend,
	kafka.ConcurrentTransactions:       resend,
	kafka.ThrottlingQuotaExceeded:      resend,
}

// classifyProducerID never says acked: callers have seen that there is an error.
func classifyProducerID(code int16) verdict {
	if v, ok := producerIDVerdicts[kafka.Error(code)]; ok {
		return v
	}
	if v := classify(code); v == operatorCase {
		return v
	}
	return unknownCode
}

// failure is why a request to a broker brought no answer.
type failure uint8

const (
	failNetwork  failure = iota // the request may have been executed
	failStale                   // it was not sent: nobody knows a leader for it, or where that is
	failOperator                // it was not sent: the broker turns this client away
)

// errNoLeader is for a partition that has none, as far as is known.
var errNoLeader = errors.New("the partition has no leader")

// classifyError is for what comes instead of a response.
func classifyError(err error) failure {
	for _, stale := range []error{errNoLeader, kafka.BrokerNotAvailable} {
		if errors.Is(err, stale) {
			return failStale
		}
	}
	var advice *adviceError
	if errors.As(err, &advice) && advice.operator {
		return failOperator
	}
	var code kafka.Error
	if errors.As(err, &code) && classify(int16(code)) == operatorCase {
		return failOperator
	}
	return failNetwork
}

// explain is the text of a code for a log line.
func explain(code int16) string {
	if title := kafka.Error(code).Title(); title != "" {
		return title
	}
	return fmt.Sprintf("error code %d", code)
}
