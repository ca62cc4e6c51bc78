package wire2

import (
	"encoding/json"
	"errors"
)

// Prepared is DownloadPrepareRequest: a zip that is being made.
type Prepared struct {
	ID  string `json:"id"`
	URL string `json:"downloadUrl"` // empty: not ready yet
}

// PrepareAnswer decodes DownloadPrepareRequest.
func PrepareAnswer(b []byte) (p Prepared, err error) {
	if err := Unmarshal(b, &p); err != nil {
		return p, err
	}
	if p.ID == "" && p.URL == "" {
		return p, errors.New("the answer has neither ID nor URL in it")
	}
	return p, nil
}

// Entry is one of a directory of a file set.
type Entry struct {
	Name      string
	Directory bool
	Size      int64 // bytes; -1: unknown
}

// Entries decodes the listing of a directory.
func Entries(b []byte) ([]Entry, error) {
	var in []struct {
		Name string `json:"name"`
		Type string `json:"fileType"`
		Size *Int   `json:"size"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return nil, err
	}
	if in == nil {
		return nil, errors.New("the answer is no list")
	}
	out := make([]Entry, 0, len(in))
	for _, e := range in {
		out = append(out, Entry{Name: e.Name, Directory: e.Type == "directory", Size: sizeOf(e.Size)})
	}
	return out, nil
}

func sizeOf(n *Int) int64 {
	if n == nil {
		return -1
	}
	return max(int64(*n), -1)
}

// ImageCount decodes how many images a series has.
func ImageCount(b []byte) (int64, error) {
	var in struct {
		Total *Int `json:"totalItemCount"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return 0, err
	}
	if in.Total == nil || *in.Total < 0 {
		return 0, errors.New("the answer has no totalItemCount in it")
	}
	return int64(*in.Total), nil
}

// Image is what the channel of an image series says of one image.
type Image struct {
	Step        *float64 // nil: it does not say
	Time        *int64   // ms since 1970 UTC; nil: it does not say
	Name        string
	Description string
}

// Images decodes a page of the values of a channel; total is -1 if it does not say.
func Images(b []byte) (page []Image, total int64, err error) {
	var in struct {
		Total  *Int `json:"totalItemCount"`
		Values []struct {
			Time *Int   `json:"timestampMillis"`
			X    *Float `json:"x"`
			Y    struct {
				Image struct {
					Name        string `json:"name"`
					Description string `json:"description"`
				} `json:"imageValue"`
			} `json:"y"`
		} `json:"values"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return nil, 0, err
	}
	if in.Values == nil {
		return nil, 0, errors.New("the answer has no values in it")
	}
	page = make([]Image, 0, len(in.Values))
	for _, v := range in.Values {
		page = append(page, Image{
			Step: (*float64)(v.X), Time: (*int64)(v.Time), Name: v.Y.Image.Name, Description: v.Y.Image.Description,
		})
	}
	return page, sizeOf(in.Total), nil
}

// ArtifactFile is one of an artifact's list. Its JSON has the form and the order of the API's.
type ArtifactFile struct {
	Path     string     `json:"filePath"`
	Hash     string     `json:"fileHash"`
	Type     string     `json:"type"` // "Local" or "S3"
	Size     *Int       `json:"size"` // bytes; nil: unknown
	Metadata []Metadata `json:"metadata"`
}

// Metadata is a pair of an artifact's file.
type Metadata struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Bytes is the file's size; -1: unknown.
func (f ArtifactFile) Bytes() int64 { return sizeOf(f.Size) }

// Value gives the metadata of a key; empty if there is none.
func (f ArtifactFile) Value(key string) string {
	for _, m := range f.Metadata {
		if m.Key == key {
			return m.Value
		}
	}
	return ""
}

// ArtifactFiles decodes the list of an artifact's files.
func ArtifactFiles(b []byte) ([]ArtifactFile, error) {
	var in struct {
		Files *[]json.RawMessage `json:"files"`
	}
	if err := Unmarshal(b, &in); err != nil {
		return nil, err
	}
	if in.Files == nil {
		return nil, errors.New("the answer has no files in it")
	}
	out := make([]ArtifactFile, len(*in.Files))
	for i, raw := range *in.Files {
		out[i].Metadata = []Metadata{}
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, err
		}
		if out[i].Metadata == nil {
			out[i].Metadata = []Metadata{}
		}
	}
	return out, nil
}
