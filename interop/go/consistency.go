package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkConsistency verifies a proof of consistency (docs/formats/consistency.md).
func checkConsistency(text []byte, key note.Verifier) (string, error) {
	parts := strings.Split(string(text), "\n\n")
	if len(parts) != 5 {
		return "", errors.New("not a path and two checkpoints")
	}
	lines := strings.Split(parts[0], "\n")
	if lines[0] != "knhk-consistency/v1" {
		return "", errors.New("not a consistency proof")
	}
	path, err := hashes(lines[1:])
	if err != nil {
		return "", err
	}
	old, err := openCheckpoint(parts[1]+"\n\n"+parts[2]+"\n", key)
	if err != nil {
		return "", err
	}
	now, err := openCheckpoint(parts[3]+"\n\n"+parts[4], key)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(path, now.N, now.Hash, old.N, old.Hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("the first %d of %d entries are unchanged, %d hashes", old.N, now.N, len(path)), nil
}
