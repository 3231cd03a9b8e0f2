package main

import (
	"bytes"
	"encoding/hex"
	"math/rand"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
)

type headerVector struct {
	Encoded  string `json:"encoded"`
	Hash     string `json:"hash"`
	ChainID  string `json:"chain_id"`
	Height   int64  `json:"height"`
	Seconds  int64  `json:"seconds"`
	Nanos    int    `json:"nanoseconds"`
	DataHash string `json:"data_hash"`
	AppHash  string `json:"app_hash"`
}

type validatorSetVector struct {
	Encoded    string   `json:"encoded"`
	Hash       string   `json:"hash"`
	Addresses  []string `json:"addresses"`
	TotalPower int64    `json:"total_power"`
}

type commitVector struct {
	ChainID   string   `json:"chain_id"`
	Encoded   string   `json:"encoded"`
	Hash      string   `json:"hash"`
	SignBytes []string `json:"sign_bytes"`
}

type transactionsVector struct {
	Transactions []string `json:"transactions"`
	DataHash     string   `json:"data_hash"`
}

type resultVector struct {
	Code      uint32 `json:"code"`
	Data      string `json:"data"`
	GasWanted int64  `json:"gas_wanted"`
	GasUsed   int64  `json:"gas_used"`
}

type resultsVector struct {
	Results []resultVector `json:"results"`
	Hash    string         `json:"hash"`
}

type paramsVector struct {
	MaxBytes int64  `json:"block_bytes_max"`
	MaxGas   int64  `json:"block_gas_max"`
	Hash     string `json:"hash"`
}

// blockVector describes transactions by a repeated byte and a length, so that blocks of several parts stay small on disk.
type blockVector struct {
	Header       string   `json:"header"`
	LastCommit   string   `json:"last_commit"`
	Transactions [][2]int `json:"transactions_byte_and_length"`
	EncodedBytes int      `json:"encoded_bytes"`
	Parts        uint32   `json:"parts"`
	PartsHash    string   `json:"parts_hash"`
	LightBlock   string   `json:"light_block"`
}

type vectorFile struct {
	Source        string               `json:"source"`
	Seed          int64                `json:"seed"`
	EvidenceHash  string               `json:"empty_evidence_hash"`
	EmptyCommit   commitVector         `json:"empty_commit"`
	Headers       []headerVector       `json:"headers"`
	ValidatorSets []validatorSetVector `json:"validator_sets"`
	Commits       []commitVector       `json:"commits"`
	Transactions  []transactionsVector `json:"transactions"`
	Results       []resultsVector      `json:"results"`
	Params        []paramsVector       `json:"consensus_params"`
	Blocks        []blockVector        `json:"blocks"`
}

// source draws every input from one seed, so that the same seed prints the same file.
type source struct{ *rand.Rand }

func makeVectors(seed int64) (*vectorFile, error) {
	s := source{rand.New(rand.NewSource(seed))}
	file := &vectorFile{Source: "CometBFT " + version.TMCoreSemVer, Seed: seed}
	file.EvidenceHash = hex.EncodeToString(types.EvidenceList{}.Hash())
	emptyCommit, err := describeCommit("", &types.Commit{})
	if err != nil {
		return nil, err
	}
	file.EmptyCommit = *emptyCommit
	for range 12 {
		header := s.header()
		if err := header.ValidateBasic(); err != nil {
			return nil, err
		}
		described, err := describeHeader(header)
		if err != nil {
			return nil, err
		}
		file.Headers = append(file.Headers, *described)
	}
	for _, size := range []int{1, 2, 3, 4, 7, 8, 13} {
		keys, set := s.validators(size)
		describedSet, err := describeSet(set)
		if err != nil {
			return nil, err
		}
		file.ValidatorSets = append(file.ValidatorSets, *describedSet)
		chainID := s.chainID()
		commit, err := s.commit(chainID, 1+s.Int63n(1<<40), s.blockID(), keys, set, false)
		if err != nil {
			return nil, err
		}
		describedCommit, err := describeCommit(chainID, commit)
		if err != nil {
			return nil, err
		}
		file.Commits = append(file.Commits, *describedCommit)
	}
	for _, count := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 33} {
		file.Transactions = append(file.Transactions, s.transactions(count))
		results, err := s.results(count)
		if err != nil {
			return nil, err
		}
		file.Results = append(file.Results, *results)
	}
	for _, bound := range [][2]int64{{22020096, -1}, {4194304, 0}, {1, 1 << 60}} {
		params := types.ConsensusParams{Block: types.BlockParams{MaxBytes: bound[0], MaxGas: bound[1]}}
		file.Params = append(file.Params, paramsVector{bound[0], bound[1], hex.EncodeToString(params.Hash())})
	}
	for _, layout := range [][][2]int{{}, {{1, 0}, {2, 1}, {3, 127}, {4, 128}}, {{5, 70000}}, {{6, 300000}, {7, 0}, {8, 20000}}} {
		block, err := s.block(layout)
		if err != nil {
			return nil, err
		}
		file.Blocks = append(file.Blocks, *block)
	}
	return file, nil
}

func (s source) bytes(length int) []byte {
	value := make([]byte, length)
	s.Read(value)
	return value
}

// time is of any nanosecond between 1970 and 2106, on a whole second or millisecond now and then.
func (s source) time() time.Time {
	nanos := s.Int63n(1_000_000_000)
	switch s.Intn(4) {
	case 0:
		nanos = 0
	case 1:
		nanos -= nanos % 1_000_000
	}
	return time.Unix(s.Int63n(1<<32), nanos).UTC()
}

func (s source) chainID() string {
	return "fujie-" + hex.EncodeToString(s.bytes(s.Intn(22)))
}

func (s source) blockID() types.BlockID {
	return types.BlockID{
		Hash:          s.bytes(32),
		PartSetHeader: types.PartSetHeader{Total: 1 + uint32(s.Intn(1000)), Hash: s.bytes(32)},
	}
}

// digestOrNone leaves a hash out now and then, as CometBFT does in early headers.
func (s source) digestOrNone() []byte {
	if s.Intn(5) == 0 {
		return nil
	}
	return s.bytes(32)
}

func (s source) header() *types.Header {
	header := &types.Header{
		Version:            cmtversion.Consensus{Block: version.BlockProtocol, App: uint64(s.Intn(3)) * uint64(s.Uint32())},
		ChainID:            s.chainID(),
		Height:             1 + s.Int63()>>uint(s.Intn(62)),
		Time:               s.time(),
		LastCommitHash:     s.digestOrNone(),
		DataHash:           s.digestOrNone(),
		ValidatorsHash:     s.bytes(32),
		NextValidatorsHash: s.bytes(32),
		ConsensusHash:      s.digestOrNone(),
		AppHash:            s.digestOrNone(),
		LastResultsHash:    s.digestOrNone(),
		EvidenceHash:       s.digestOrNone(),
		ProposerAddress:    s.bytes(20),
	}
	if s.Intn(4) != 0 {
		header.LastBlockID = s.blockID()
	}
	return header
}

func (s source) validators(size int) (map[string]ed25519.PrivKey, *types.ValidatorSet) {
	keys := map[string]ed25519.PrivKey{}
	list := make([]*types.Validator, size)
	for i := range list {
		key := ed25519.GenPrivKeyFromSecret(s.bytes(32))
		list[i] = types.NewValidator(key.PubKey(), 1+s.Int63n(4)*s.Int63n(1<<30)) // equal powers are likely
		keys[string(list[i].Address)] = key
	}
	return keys, types.NewValidatorSet(list)
}

// commit has votes for the block and, unless complete, absent ones and votes for nil.
func (s source) commit(
	chainID string, height int64, id types.BlockID, keys map[string]ed25519.PrivKey, set *types.ValidatorSet, complete bool,
) (*types.Commit, error) {
	commit := &types.Commit{Height: height, Round: int32(s.Intn(3)), BlockID: id}
	for i, validator := range set.Validators {
		entry := types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: validator.Address, Timestamp: s.time()}
		if !complete && i > 0 && s.Intn(3) == 0 {
			entry.BlockIDFlag = types.BlockIDFlagNil
		}
		if !complete && i > 0 && s.Intn(4) == 0 {
			entry = types.NewCommitSigAbsent()
		}
		commit.Signatures = append(commit.Signatures, entry)
		if entry.BlockIDFlag == types.BlockIDFlagAbsent {
			continue
		}
		signature, err := keys[string(validator.Address)].Sign(commit.VoteSignBytes(chainID, int32(i)))
		if err != nil {
			return nil, err
		}
		commit.Signatures[i].Signature = signature
	}
	return commit, commit.ValidateBasic()
}

func (s source) transactions(count int) transactionsVector {
	vector := transactionsVector{Transactions: []string{}}
	txs := types.Txs{}
	for range count {
		tx := s.bytes(s.Intn(100))
		txs = append(txs, tx)
		vector.Transactions = append(vector.Transactions, hex.EncodeToString(tx))
	}
	vector.DataHash = hex.EncodeToString(txs.Hash())
	return vector
}

func (s source) results(count int) (*resultsVector, error) {
	vector := &resultsVector{Results: []resultVector{}}
	responses := make([]*abci.ExecTxResult, count)
	for i := range responses {
		responses[i] = &abci.ExecTxResult{
			Code: uint32(s.Intn(3)) * uint32(s.Intn(1<<20)), Data: s.bytes(s.Intn(40)), Log: "not hashed", Codespace: "nor this",
			GasWanted: s.Int63n(3) * s.Int63n(1<<40), GasUsed: s.Int63n(3) - 1,
		}
		vector.Results = append(vector.Results, resultVector{
			responses[i].Code, hex.EncodeToString(responses[i].Data), responses[i].GasWanted, responses[i].GasUsed,
		})
	}
	vector.Hash = hex.EncodeToString(types.NewResults(responses).Hash())
	return vector, nil
}

// block is whole: its header commits to its content, and its own validators sign it.
func (s source) block(layout [][2]int) (*blockVector, error) {
	keys, set := s.validators(4)
	chainID := s.chainID()
	lastCommit := &types.Commit{}
	if len(layout) > 0 {
		var err error
		if lastCommit, err = s.commit(chainID, 41, s.blockID(), keys, set, false); err != nil {
			return nil, err
		}
	}
	txs := types.Txs{}
	for _, described := range layout {
		txs = append(txs, bytes.Repeat([]byte{byte(described[0])}, described[1]))
	}
	header := s.header()
	header.ChainID, header.Height = chainID, lastCommit.Height+1
	header.LastBlockID = lastCommit.BlockID
	header.LastCommitHash, header.DataHash, header.EvidenceHash = lastCommit.Hash(), txs.Hash(), types.EvidenceList{}.Hash()
	header.ValidatorsHash, header.NextValidatorsHash = set.Hash(), set.Hash()
	header.ProposerAddress = set.Proposer.Address
	block := &types.Block{Header: *header, Data: types.Data{Txs: txs}, LastCommit: lastCommit}
	message, err := block.ToProto()
	if err != nil {
		return nil, err
	}
	encoded, err := message.Marshal()
	if err != nil {
		return nil, err
	}
	parts, err := block.MakePartSet(types.BlockPartSizeBytes)
	if err != nil {
		return nil, err
	}
	id := types.BlockID{Hash: block.Hash(), PartSetHeader: parts.Header()}
	commit, err := s.commit(chainID, header.Height, id, keys, set, true)
	if err != nil {
		return nil, err
	}
	lightBlock := types.LightBlock{SignedHeader: &types.SignedHeader{Header: header, Commit: commit}, ValidatorSet: set}
	if err := lightBlock.ValidateBasic(chainID); err != nil {
		return nil, err
	}
	lightMessage, err := lightBlock.ToProto()
	if err != nil {
		return nil, err
	}
	vector := &blockVector{Transactions: layout, EncodedBytes: len(encoded)}
	vector.Parts, vector.PartsHash = parts.Header().Total, hex.EncodeToString(parts.Header().Hash)
	if vector.Header, err = hexOf(header.ToProto()); err != nil {
		return nil, err
	}
	if vector.LastCommit, err = hexOf(lastCommit.ToProto()); err != nil {
		return nil, err
	}
	vector.LightBlock, err = hexOf(lightMessage)
	return vector, err
}

func describeHeader(header *types.Header) (*headerVector, error) {
	encoded, err := hexOf(header.ToProto())
	if err != nil {
		return nil, err
	}
	return &headerVector{
		Encoded: encoded, Hash: hex.EncodeToString(header.Hash()), ChainID: header.ChainID, Height: header.Height,
		Seconds: header.Time.Unix(), Nanos: header.Time.Nanosecond(),
		DataHash: hex.EncodeToString(header.DataHash), AppHash: hex.EncodeToString(header.AppHash),
	}, nil
}

func describeSet(set *types.ValidatorSet) (*validatorSetVector, error) {
	message, err := set.ToProto()
	if err != nil {
		return nil, err
	}
	encoded, err := hexOf(message)
	if err != nil {
		return nil, err
	}
	vector := &validatorSetVector{Encoded: encoded, Hash: hex.EncodeToString(set.Hash()), TotalPower: set.TotalVotingPower()}
	for _, validator := range set.Validators {
		vector.Addresses = append(vector.Addresses, hex.EncodeToString(validator.Address))
	}
	return vector, nil
}

func describeCommit(chainID string, commit *types.Commit) (*commitVector, error) {
	encoded, err := hexOf(commit.ToProto())
	if err != nil {
		return nil, err
	}
	vector := &commitVector{ChainID: chainID, Encoded: encoded, Hash: hex.EncodeToString(commit.Hash()), SignBytes: []string{}}
	for i := range commit.Signatures {
		vector.SignBytes = append(vector.SignBytes, hex.EncodeToString(commit.VoteSignBytes(chainID, int32(i))))
	}
	return vector, nil
}

func hexOf(message interface{ Marshal() ([]byte, error) }) (string, error) {
	encoded, err := message.Marshal()
	return hex.EncodeToString(encoded), err
}
