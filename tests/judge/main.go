// The judge: reads tars, documents and compressed data of images with Go's own archive/tar, encoding/json, compress/gzip
// and compress/bzip2, which docker, podman, containerd, Skopeo and umoci use, and prints what it saw.
//
// Requests come on standard input: one byte for the kind, four bytes (big endian) for the length, the data.
// Each answer is one line of JSON.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

type member struct {
	Name   []byte            `json:"name"`
	Kind   string            `json:"kind"`
	Size   int64             `json:"size"`
	Link   []byte            `json:"link"`
	Mode   int64             `json:"mode"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Major  int64             `json:"major"`
	Minor  int64             `json:"minor"`
	Xattrs map[string][]byte `json:"xattrs"`
	Sparse bool              `json:"sparse"`
	Data   string            `json:"data"`
}

type listing struct {
	Members []member `json:"members"`
	Globals int      `json:"globals"`
	Error   string   `json:"error"`
}

const xattrPrefix = "SCHILY.xattr."

// The data of a member are hashed up to here: a sparse file of a few bytes may have exabytes.
const mostData = 1 << 20

func readTar(data []byte) listing {
	result := listing{Members: []member{}}
	reader := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return result
		}
		if err != nil {
			result.Error = err.Error()
			return result
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			result.Globals++
			continue
		}
		seen := member{
			Name: []byte(header.Name), Kind: string(header.Typeflag), Size: header.Size, Link: []byte(header.Linkname),
			Mode: header.Mode, UID: header.Uid, GID: header.Gid, Major: header.Devmajor, Minor: header.Devminor,
			Xattrs: map[string][]byte{},
		}
		seen.Sparse = header.Typeflag == tar.TypeGNUSparse
		for key, value := range header.PAXRecords {
			if len(key) > len(xattrPrefix) && key[:len(xattrPrefix)] == xattrPrefix {
				seen.Xattrs[key[len(xattrPrefix):]] = []byte(value)
			}
			if len(key) > 11 && key[:11] == "GNU.sparse." {
				seen.Sparse = true
			}
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, io.LimitReader(reader, mostData)); err != nil {
			result.Error = err.Error()
			return result
		}
		seen.Data = hex.EncodeToString(hash.Sum(nil))
		result.Members = append(result.Members, seen)
	}
}

// The fields that docker's, containers/image's and OCI's structs have. Only names and kinds matter here.

type platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSVersion    string   `json:"os.version"`
	OSFeatures   []string `json:"os.features"`
	Variant      string   `json:"variant"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	Annotations  map[string]string `json:"annotations"`
	Platform     *platform         `json:"platform"`
	ArtifactType string            `json:"artifactType"`
}

type archiveItem struct {
	Config       string                `json:"Config"`
	RepoTags     []string              `json:"RepoTags"`
	Layers       []string              `json:"Layers"`
	Parent       string                `json:"Parent"`
	LayerSources map[string]descriptor `json:"LayerSources"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

type layout struct {
	Version string `json:"imageLayoutVersion"`
}

type health struct {
	Test        []string `json:"Test"`
	Interval    int64    `json:"Interval"`
	Timeout     int64    `json:"Timeout"`
	StartPeriod int64    `json:"StartPeriod"`
	Retries     int      `json:"Retries"`
}

type runConfig struct {
	Hostname     string              `json:"Hostname"`
	Domainname   string              `json:"Domainname"`
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Cmd          []string            `json:"Cmd"`
	Healthcheck  *health             `json:"Healthcheck"`
	ArgsEscaped  bool                `json:"ArgsEscaped"`
	Image        string              `json:"Image"`
	Volumes      map[string]struct{} `json:"Volumes"`
	WorkingDir   string              `json:"WorkingDir"`
	Entrypoint   []string            `json:"Entrypoint"`
	OnBuild      []string            `json:"OnBuild"`
	Labels       map[string]string   `json:"Labels"`
	StopSignal   string              `json:"StopSignal"`
	Shell        []string            `json:"Shell"`
}

type historyEntry struct {
	Created    *time.Time `json:"created"`
	CreatedBy  string     `json:"created_by"`
	Author     string     `json:"author"`
	Comment    string     `json:"comment"`
	EmptyLayer bool       `json:"empty_layer"`
}

type config struct {
	ID           string     `json:"id"`
	Parent       string     `json:"parent"`
	Created      *time.Time `json:"created"`
	Author       string     `json:"author"`
	Architecture string     `json:"architecture"`
	OS           string     `json:"os"`
	OSVersion    string     `json:"os.version"`
	OSFeatures   []string   `json:"os.features"`
	Variant      string     `json:"variant"`
	Config       runConfig  `json:"config"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []historyEntry `json:"history"`
}

type answer struct {
	Value interface{} `json:"value"`
	Error string      `json:"error"`
}

func readDocument(data []byte, value interface{}) answer {
	if err := json.Unmarshal(data, value); err != nil {
		return answer{nil, err.Error()}
	}
	return answer{value, ""}
}

// The digest of all that compressed data unpack to.
func unpack(reader io.Reader, err error) answer {
	hash := sha256.New()
	if err == nil {
		_, err = io.Copy(hash, reader)
	}
	if err != nil {
		return answer{nil, err.Error()}
	}
	return answer{hex.EncodeToString(hash.Sum(nil)), ""}
}

func judge(kind byte, data []byte) interface{} {
	switch kind {
	case 'm':
		return readDocument(data, &[]archiveItem{})
	case 'c':
		return readDocument(data, &config{})
	case 'i':
		return readDocument(data, &manifest{})
	case 'l':
		return readDocument(data, &layout{})
	case 'r':
		return readDocument(data, &map[string]map[string]string{})
	case 'g':
		reader, err := gzip.NewReader(bytes.NewReader(data))
		return unpack(reader, err)
	case 'b':
		return unpack(bzip2.NewReader(bytes.NewReader(data)), nil)
	default:
		return readTar(data)
	}
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<16)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(input, head); err != nil {
			return
		}
		data := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(input, data); err != nil {
			os.Exit(1)
		}
		if err := encoder.Encode(judge(head[0], data)); err != nil {
			os.Exit(1)
		}
		output.Flush()
	}
}
