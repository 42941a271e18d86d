package enrich

import "sync/atomic"

// growth estimates how much larger than a chunk its new form is, from the chunks before it. Safe for concurrent use.
//
// Chunks of one pipeline are alike, so the highest recent growth is kept: a larger one counts at once, smaller ones let
// it sink slowly. What is too much costs memory for a moment, what is too little a second copy of the chunk.
type growth struct {
	// ratio is the growth in 1/1024 of the chunk's size.
	ratio atomic.Int64
	// most is what a record usually grows by at the most.
	most int
}

// A chunk too small to learn from is taken to be all records of one small size.
const (
	smallChunk  = 4096
	smallRecord = 48
	// firstRecord is the size of a record while nothing is known yet.
	firstRecord = 128
)

func (g *growth) init(p *plan) {
	g.most = 8 // the head of the map, and a longer name of a level
	for i := range p.nodes {
		g.most += p.nodes[i].most(p)
	}
	for _, moves := range [][]move{p.renames, p.durations} {
		for _, m := range moves {
			g.most += max(0, len(p.slots[m.to].raw)-len(p.slots[m.from].raw)+9)
		}
	}
	if p.tp != nil {
		g.most += 96 // the three names and values; most often they take the place of 68 bytes
		if p.tp.metadata {
			g.most += 72
		}
	}
	if p.level != none && (p.status != none || p.messages != nil) {
		g.most += len(p.slots[p.level].raw) + 6
	}
	if p.severity != none {
		g.most += len(p.slots[p.severity].raw) + 1
	}
	g.ratio.Store(int64(g.most) << 10 / firstRecord)
}

// most is what a node usually takes at the most.
func (n *node) most(p *plan) int {
	size := len(n.key) + 5
	for i := range n.kids {
		size += n.kids[i].most(p)
	}
	if n.leaf == none {
		return size
	}
	most := 0
	for _, t := range p.leaves[n.leaf].sources {
		sum := 0
		for i := range t {
			if sum += len(t[i].text); t[i].kind != pieceText {
				sum += 32
			}
		}
		most = max(most, sum)
	}
	return size + most
}

// hint is the size to set aside for a chunk of n bytes: what is expected, and room for some records more.
func (g *growth) hint(n int) int {
	if n < smallChunk {
		return n + (n/smallRecord+1)*g.most
	}
	return n + int(int64(n)*g.ratio.Load()>>10) + n/64 + 4*g.most
}

// learn takes the sizes of a chunk that was changed.
func (g *growth) learn(from, to int) {
	if from < smallChunk {
		return
	}
	ratio := int64(to-from)<<10/int64(from) + 1
	old := g.ratio.Load()
	if ratio < old {
		ratio = old - (old-ratio)/32
	}
	// Of several at once one is as good as another.
	g.ratio.CompareAndSwap(old, max(ratio, 0))
}
