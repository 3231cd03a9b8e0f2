// Command tlog reads Fujie's transaction log with clients that were written for other logs.
//
//	tlog URL VKEY [OLD]    verify the log at URL; VKEY is its verifier key, OLD a file with an earlier checkpoint
//
// The checkpoint is verified by golang.org/x/mod/sumdb/note and by torchwood. Every entry is read and authenticated by
// torchwood's client, and proven once more by golang.org/x/mod/sumdb/tlog from tiles fetched here; with OLD, so is the
// consistency of both checkpoints. It exits with 0 and prints what it has verified, or with 1 and the reason on standard
// error.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const answerBytesMax = 1 << 20

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// found is what was verified.
type found struct {
	Origin     string   `json:"origin"`
	Size       int64    `json:"size"`
	Root       string   `json:"root"`
	Entries    []string `json:"entries"`
	Proven     int64    `json:"proven"`
	OldSize    int64    `json:"old_size"`
	Consistent bool     `json:"consistent"`
}

func run(arguments []string) error {
	if len(arguments) != 2 && len(arguments) != 3 {
		return fmt.Errorf("usage: tlog URL VKEY [OLD]")
	}
	base, vkey := strings.TrimSuffix(arguments[0], "/"), arguments[1]
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	fetcher, err := torchwood.NewTileFetcher(base)
	if err != nil {
		return err
	}
	signed, err := fetcher.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	checkpoint, err := verify(signed, vkey)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	result := &found{Origin: checkpoint.Origin, Size: checkpoint.N, Root: hex.EncodeToString(checkpoint.Hash[:]), Entries: []string{}}
	if err := readEntries(ctx, fetcher, checkpoint.Tree, result); err != nil {
		return err
	}
	reader := tlog.TileHashReader(checkpoint.Tree, &tiles{base: base})
	if err := proveEntries(reader, checkpoint.Tree, result); err != nil {
		return err
	}
	if len(arguments) == 3 {
		if err := proveConsistency(reader, checkpoint.Tree, arguments[2], vkey, result); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// verify asks both implementations of signed notes, which must agree.
func verify(signed []byte, vkey string) (torchwood.Checkpoint, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(verifier.Name()), torchwood.SingleVerifierPolicy(verifier))
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	if opened.Text != checkpoint.String() {
		return torchwood.Checkpoint{}, fmt.Errorf("two readers read two checkpoints: %q and %q", opened.Text, checkpoint.String())
	}
	return checkpoint, nil
}

// readEntries reads every entry through torchwood's client, which checks each against the tree.
func readEntries(ctx context.Context, fetcher *torchwood.TileFetcher, tree tlog.Tree, result *found) error {
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	for index, entry := range client.AllEntries(ctx, tree, 0) {
		if index != int64(len(result.Entries)) {
			return fmt.Errorf("entry %d came in place of %d", index, len(result.Entries))
		}
		result.Entries = append(result.Entries, hex.EncodeToString(entry))
	}
	if err := client.Err(); err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	if int64(len(result.Entries)) != tree.N {
		return fmt.Errorf("%d entries of %d came", len(result.Entries), tree.N)
	}
	return nil
}

func proveEntries(reader tlog.HashReader, tree tlog.Tree, result *found) error {
	for index, encoded := range result.Entries {
		entry, err := hex.DecodeString(encoded)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, int64(index), reader)
		if err != nil {
			return fmt.Errorf("proof of entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		result.Proven++
	}
	return nil
}

func proveConsistency(reader tlog.HashReader, tree tlog.Tree, path, vkey string, result *found) error {
	signed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old, err := verify(signed, vkey)
	if err != nil {
		return fmt.Errorf("old checkpoint: %w", err)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	result.OldSize, result.Consistent = old.N, true
	return nil
}

// tiles is a tlog.TileReader that asks for exactly the tiles it is told, with nothing between it and the server.
type tiles struct{ base string }

func (t *tiles) Height() int { return torchwood.TileHeight }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data, err := get(t.base + "/" + torchwood.TilePath(tile))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %s has %d bytes", torchwood.TilePath(tile), len(data))
		}
		read[i] = bytes.Clone(data)
	}
	return read, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %s", url, response.StatusCode, data)
	}
	return data, nil
}
