package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	headerLen = 128
	recordLen = 118
)

// checkProof verifies a proof of inclusion (docs/formats/proof.md): for an observation record → block header → log, for
// an entry the one step, and the checkpoint's signature.
func checkProof(text []byte, key note.Verifier) (string, error) {
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		!strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return "", errors.New("not a proof")
	}
	extra, err := strictBase64(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return "", err
	}
	index, err := decimal(strings.TrimPrefix(lines[2], "index "))
	if err != nil {
		return "", err
	}
	path, err := hashes(lines[3:])
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(checkpoint, key)
	if err != nil {
		return "", err
	}
	if len(extra) == 0 {
		return "", errors.New("the proof is about nothing")
	}
	var leaf []byte
	var shown string
	switch extra[0] {
	case 1:
		header, what, err := record(extra[1:])
		if err != nil {
			return "", err
		}
		leaf, shown = append([]byte{1}, header...), what
	case 2:
		leaf = extra[1:]
		shown = fmt.Sprintf("entry of type %d, %d bytes", leaf[0], len(leaf))
	default:
		return "", errors.New("unknown subject")
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, at entry %d of %d", shown, index, tree.N), nil
}

// record verifies the inner step: the record stands at its place under the header's root. It gives the header.
func record(extra []byte) ([]byte, string, error) {
	if len(extra) < headerLen+5 {
		return nil, "", errors.New("cut short")
	}
	header, rest := extra[:headerLen], extra[headerLen:]
	index, n := binary.LittleEndian.Uint32(rest), int(rest[4])
	rest = rest[5:]
	if len(rest) != n*tlog.HashSize+recordLen {
		return nil, "", errors.New("not the length of a path and a record")
	}
	path := make(tlog.RecordProof, n)
	for i := range path {
		copy(path[i][:], rest[i*tlog.HashSize:])
	}
	record := rest[n*tlog.HashSize:]
	var root tlog.Hash
	copy(root[:], header[96:])
	count := binary.LittleEndian.Uint32(header[8:])
	if err := tlog.CheckRecord(path, int64(count), root, int64(index), tlog.RecordHash(record)); err != nil {
		return nil, "", err
	}
	sequence := binary.LittleEndian.Uint64(record[10:])
	if string(record[4:6]) != string(header[6:8]) ||
		sequence != binary.LittleEndian.Uint64(header[24:])+uint64(index) {
		return nil, "", errors.New("the record does not belong to its place in the block")
	}
	return header, fmt.Sprintf("observation %d, payload %x", sequence, record[54:86]), nil
}
