package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint verifies a signed checkpoint (docs/formats/checkpoint.md). Its origin is the name of the key.
func openCheckpoint(signed string, key note.Verifier) (tlog.Tree, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	// Go's decoder takes several spellings of a signature; KNHK's formats have one.
	for _, signature := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := strictBase64(signature.Base64); err != nil {
			return tlog.Tree{}, err
		}
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != key.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this key's log")
	}
	size, err := decimal(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := hash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// decimal reads a number without sign and leading zeroes.
func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is not a decimal number", text)
	}
	return n, nil
}

func strictBase64(text string) ([]byte, error) {
	bytes, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	// The decoder skips line ends.
	if base64.StdEncoding.EncodeToString(bytes) != text {
		return nil, errors.New("not canonical base64")
	}
	return bytes, nil
}

func hash(text string) (tlog.Hash, error) {
	bytes, err := strictBase64(text)
	if err != nil {
		return tlog.Hash{}, err
	}
	if len(bytes) != tlog.HashSize {
		return tlog.Hash{}, errors.New("not a hash of 32 bytes")
	}
	var h tlog.Hash
	copy(h[:], bytes)
	return h, nil
}

// hashes reads one hash a line.
func hashes(lines []string) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, line := range lines {
		h, err := hash(line)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
