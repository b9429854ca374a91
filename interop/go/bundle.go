package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkBundle verifies an audit bundle of a log that has had one key (docs/formats/bundle.md). It does not read CBOR: what
// stands in canonical CBOR is under the tree byte for byte, and only the digests that it names are looked for in it.
func checkBundle(file []byte, vkey string) (string, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	encoded := strings.SplitN(vkey, "+", 3)
	public, err := base64.StdEncoding.DecodeString(encoded[2])
	if err != nil {
		return "", err
	}
	in := reader{rest: file}
	if string(in.take(15)) != "knhk-bundle/v1\n" {
		return "", errors.New("not a bundle")
	}
	checkpoint := in.take(in.u32())
	var leaves []leaf
	receipts, observations, payloads := 0, 0, 0
	for n := in.u32(); n > 0 && in.err == nil; n-- {
		index := in.u64()
		kind := in.take(1)
		content := reader{rest: in.take(in.u32())}
		if in.err != nil {
			return "", in.err
		}
		data := []byte{kind[0]}
		switch kind[0] {
		case 1:
			header := content.take(headerLen)
			records, withPayload, err := content.records(header)
			if err != nil {
				return "", err
			}
			data = append(data, header...)
			observations += records
			payloads += withPayload
		case 2:
			receipt := content.take(content.u32())
			signature := content.take(ed25519.SignatureSize)
			id := sha256.Sum256(receipt)
			if content.err != nil || !ed25519.Verify(public[1:], append([]byte("knhk-receipt/v1\n"), id[:]...), signature) {
				return "", errors.New("the signature of a receipt does not verify")
			}
			if !names(receipt, "evidence_digest", content.all()) {
				return "", errors.New("a receipt has another body")
			}
			data = append(data, receipt...)
			receipts++
		case 3:
			entry := content.take(content.u32())
			if !names(entry, "body_digest", content.all()) {
				return "", errors.New("an input has another body")
			}
			data = append(data, entry...)
		case 4:
			if index != 0 {
				return "", errors.New("this program follows no change of keys")
			}
			data = append(data, content.all()...)
			if !bytes.Contains(data, []byte(vkey)) {
				return "", errors.New("the log began with another key")
			}
		default:
			return "", errors.New("unknown kind")
		}
		if content.err != nil || len(content.rest) != 0 {
			return "", errors.New("an item has another length")
		}
		leaves = append(leaves, leaf{int64(index), tlog.RecordHash(data)})
	}
	proof := in.hashes()
	if in.err != nil || len(in.rest) != 0 {
		return "", errors.New("the bundle has another length")
	}
	tree, err := openCheckpoint(string(checkpoint), key)
	if err != nil {
		return "", err
	}
	if len(leaves) == 0 || leaves[0].index != 0 {
		return "", errors.New("the bundle does not begin with the log's first key")
	}
	if err := checkLeaves(leaves, tree, proof); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d receipts, %d observations, %d events under a checkpoint of %d entries", receipts, observations, payloads, tree.N), nil
}

// names tells whether a map in canonical CBOR has a key whose value is the SHA-256 of body.
func names(entry []byte, field string, body []byte) bool {
	digest := sha256.Sum256(body)
	// Text of up to 23 bytes, then a byte string of 32.
	pair := append([]byte{0x60 | byte(len(field))}, field...)
	return bytes.Contains(entry, append(append(pair, 0x58, 32), digest[:]...))
}

type leaf struct {
	index int64
	hash  tlog.Hash
}

// checkLeaves verifies the proof of several leaves: what their paths share stands in it once.
func checkLeaves(leaves []leaf, tree tlog.Tree, proof []tlog.Hash) error {
	for i, leaf := range leaves {
		if leaf.index < 0 || leaf.index >= tree.N || i > 0 && leaf.index <= leaves[i-1].index {
			return errors.New("leaves are out of order or outside the tree")
		}
	}
	missing := false
	var root func(low, high int64, leaves []leaf) tlog.Hash
	root = func(low, high int64, leaves []leaf) tlog.Hash {
		if len(leaves) == 0 {
			if len(proof) == 0 {
				missing = true
				return tlog.Hash{}
			}
			next := proof[0]
			proof = proof[1:]
			return next
		}
		if high-low == 1 {
			return leaves[0].hash
		}
		middle := low + 1<<(bits.Len64(uint64(high-low-1))-1)
		at := 0
		for at < len(leaves) && leaves[at].index < middle {
			at++
		}
		left := root(low, middle, leaves[:at])
		return tlog.NodeHash(left, root(middle, high, leaves[at:]))
	}
	if len(leaves) == 0 || root(0, tree.N, leaves) != tree.Hash || missing || len(proof) != 0 {
		return errors.New("the leaves do not lead to the root")
	}
	return nil
}

// reader takes bytes from the front; after an error it gives nothing.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.rest) {
		r.err = errors.New("cut short")
		return make([]byte, headerLen)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) all() []byte {
	return r.take(len(r.rest))
}

func (r *reader) u32() int {
	return int(binary.LittleEndian.Uint32(r.take(4)))
}

func (r *reader) u64() uint64 {
	return binary.LittleEndian.Uint64(r.take(8))
}

func (r *reader) hashes() []tlog.Hash {
	var out []tlog.Hash
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		var h tlog.Hash
		copy(h[:], r.take(tlog.HashSize))
		out = append(out, h)
	}
	return out
}

// records verifies the observations of one block under its header's root; gives how many there are, and how many with
// their event.
func (r *reader) records(header []byte) (int, int, error) {
	var leaves []leaf
	payloads := 0
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		index, record, with := r.u32(), r.take(recordLen), r.take(1)
		if r.err != nil {
			break
		}
		if string(record[4:6]) != string(header[6:8]) ||
			binary.LittleEndian.Uint64(record[10:]) != binary.LittleEndian.Uint64(header[24:])+uint64(index) {
			return 0, 0, errors.New("a record does not belong to its place in the block")
		}
		if size := int(binary.LittleEndian.Uint32(record[50:])); with[0] != 0 {
			digest := sha256.Sum256(r.take(size))
			if with[0] != 1 || size == 0 || !bytes.Equal(digest[:], record[54:86]) {
				return 0, 0, errors.New("an event is not its record's")
			}
			payloads++
		}
		leaves = append(leaves, leaf{int64(index), tlog.RecordHash(record)})
	}
	proof := r.hashes()
	if r.err != nil {
		return 0, 0, r.err
	}
	var root tlog.Hash
	copy(root[:], header[96:])
	block := tlog.Tree{N: int64(binary.LittleEndian.Uint32(header[8:])), Hash: root}
	return len(leaves), payloads, checkLeaves(leaves, block, proof)
}
