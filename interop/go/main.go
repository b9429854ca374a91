// Command go checks what KNHK writes with Go's own packages for transparent logs (golang.org/x/mod/sumdb/note and
// tlog), and with none of KNHK's code. It accepts files, and then demands that they be refused with any byte changed.
//
//	go KEY proof FILE...        proofs of inclusion: docs/formats/proof.md
//	go KEY consistency FILE...  proofs of consistency: docs/formats/consistency.md
//	go KEY bundle FILE...       audit bundles: docs/formats/bundle.md
//	go KEY tiles DIR...         exports in the layout of c2sp.org/tlog-tiles: docs/formats/tiles.md
//
// KEY is a file that holds the verifier key, one line. The exit code is 0 only if every file is accepted, every change
// of it is refused, and there was something to check.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: go KEY proof|consistency|bundle|tiles PATH...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func run(keyFile, kind string, paths []string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	vkey := strings.TrimSpace(string(text))
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	started, changes := time.Now(), 0
	for _, path := range paths {
		var shown string
		var refused int
		switch kind {
		case "proof":
			shown, refused, err = file(path, func(b []byte) (string, error) { return checkProof(b, key) })
		case "bundle":
			shown, refused, err = file(path, func(b []byte) (string, error) { return checkBundle(b, vkey) })
		case "consistency":
			shown, refused, err = file(path, func(b []byte) (string, error) { return checkConsistency(b, key) })
		case "tiles":
			shown, refused, err = tiles(path, key)
		default:
			return fmt.Errorf("unknown kind %q", kind)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Printf("accepted: %s\n", shown)
		changes += refused
	}
	fmt.Printf("%d %s checked by Go; %d changed copies refused (%.1f s)\n", len(paths), kind, changes, time.Since(started).Seconds())
	return nil
}

// Of files up to this length every bit is changed, of longer ones one bit of every byte.
const everyBitMax = 4096

// file accepts a file and counts the changed copies that are refused.
func file(path string, check func([]byte) (string, error)) (string, int, error) {
	good, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	shown, err := check(good)
	if err != nil {
		return "", 0, err
	}
	refused := 0
	for at := range good {
		for bit := 0; bit < 8; bit++ {
			if len(good) > everyBitMax && bit != at%8 {
				continue
			}
			good[at] ^= 1 << bit
			if _, err := check(good); err == nil {
				return "", 0, fmt.Errorf("bit %d of byte %d changes and nobody notices", bit, at)
			}
			good[at] ^= 1 << bit
			refused++
		}
	}
	// What was restored is what was accepted.
	if _, err := check(good); err != nil {
		return "", 0, err
	}
	return shown, refused, nil
}
