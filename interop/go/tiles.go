package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// Copies of one export that are changed and must be refused: the whole export is checked each time.
	changesMax = 2000
)

// export is a directory in the layout of c2sp.org/tlog-tiles, in memory.
type export map[string][]byte

// tiles accepts an export and counts the changed copies that are refused.
func tiles(dir string, key note.Verifier) (string, int, error) {
	files, total := export{}, 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		total += len(files[filepath.ToSlash(name)])
		return err
	})
	if err != nil {
		return "", 0, err
	}
	shown, err := files.check(key)
	if err != nil {
		return "", 0, err
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	step, refused, at := total/changesMax+1, 0, 0
	for _, name := range names {
		data := files[name]
		for i := range data {
			if at++; at%step != 0 && name != "checkpoint" {
				continue
			}
			mask := byte(1) << (i % 8)
			data[i] ^= mask
			if _, err := files.check(key); err == nil {
				return "", 0, fmt.Errorf("byte %d of %s changes and nobody notices", i, name)
			}
			data[i] ^= mask
			refused++
		}
		delete(files, name)
		if _, err := files.check(key); err == nil {
			return "", 0, fmt.Errorf("%s is missing and nobody notices", name)
		}
		files[name] = data
		refused++
	}
	return shown, refused, nil
}

// check re-derives the root twice, from the entries and through Go's reader of tiles, and demands every hash of every tile.
func (e export) check(key note.Verifier) (string, error) {
	tree, err := openCheckpoint(string(e["checkpoint"]), key)
	if err != nil {
		return "", err
	}
	used := map[string]bool{"checkpoint": true}
	leaves, err := e.entries(tree.N, used)
	if err != nil {
		return "", err
	}
	// From the entries alone.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, index := range indexes {
			out = append(out, stored[index])
		}
		return out, nil
	})
	for n, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		if err != nil {
			return "", err
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return "", err
	}
	if root != tree.Hash {
		return "", errors.New("the entries do not lead to the checkpoint's root")
	}
	// Through the tiles: Go names those that a tree of this size has, and authenticates each against the root.
	through := tlog.TileHashReader(tree, tileReader{e, used})
	var indexes []int64
	for index := int64(0); index < tlog.StoredHashIndex(0, tree.N); index++ {
		indexes = append(indexes, index)
	}
	read, err := through.ReadHashes(indexes)
	if err != nil {
		return "", err
	}
	for i := range read {
		if read[i] != stored[indexes[i]] {
			return "", fmt.Errorf("stored hash %d is another in the tiles than in the entries", indexes[i])
		}
	}
	// Go reads what it needs for the root and the leaves; the layout asks for every level.
	for level := 0; tree.N>>(tileHeight*level) > 0; level++ {
		count := tree.N >> (tileHeight * level)
		for n := int64(0); n*tileWidth < count; n++ {
			width := count - n*tileWidth
			if width > tileWidth {
				width = tileWidth
			}
			tile := tlog.Tile{H: tileHeight, L: level, N: n, W: int(width)}
			if data, err := (tileReader{e, used}).read(tile); err != nil || len(data) != tile.W*tlog.HashSize {
				return "", fmt.Errorf("%s is missing or has another length", path(tile))
			}
		}
	}
	if len(used) != len(e) {
		return "", fmt.Errorf("%d files do not belong to a log of %d entries", len(e)-len(used), tree.N)
	}
	return fmt.Sprintf("%d files of a log of %d entries", len(e), tree.N), nil
}

// entries gives the leaf hashes of the entry bundles.
func (e export) entries(size int64, used map[string]bool) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for n := int64(0); n*tileWidth < size; n++ {
		width := size - n*tileWidth
		if width > tileWidth {
			width = tileWidth
		}
		name := path(tlog.Tile{H: tileHeight, L: -1, N: n, W: int(width)})
		data, found := e[name]
		if !found {
			return nil, fmt.Errorf("%s is missing", name)
		}
		used[name] = true
		for i := int64(0); i < width; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s is cut short", name)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaves = append(leaves, tlog.RecordHash(data[2:end]))
			data = data[end:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s has more entries than it should", name)
		}
	}
	return leaves, nil
}

// path is the C2SP path of a tile: Go's without the height, and with "entries" for "data".
func path(tile tlog.Tile) string {
	full := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tile.H))
	if tile.L == -1 {
		full = "entries" + strings.TrimPrefix(full, "data")
	}
	return "tile/" + full
}

type tileReader struct {
	files export
	used  map[string]bool
}

func (r tileReader) Height() int { return tileHeight }

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) read(tile tlog.Tile) ([]byte, error) {
	data, found := r.files[path(tile)]
	if !found {
		return nil, fmt.Errorf("%s is missing", path(tile))
	}
	r.used[path(tile)] = true
	return data, nil
}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		data, err := r.read(tile)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}
