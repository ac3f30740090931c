//! A captured graph, and how it is decoded from the format that `workloads/graphs/README.md` describes.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// The first bytes of every captured graph.
const MAGIC: &[u8; 8] = b"CYCGRAPH";

/// The version that this decoder reads.
const VERSION: u32 = 1;

/// Bytes before the compressed payload: magic, version, length and checksum of the payload.
const HEADER: usize = 20;

/// Bytes of payload in one compressed byte, at most: a limit of the compression itself (1032), rounded up.
const EXPANSION: u64 = 2000;

/// The largest object: 1 GiB. Larger ones are taken for damage.
const LARGEST: u64 = 1 << 30;

/// The bytes of an object that are neither slots nor data: CPython's count and type.
const CPYTHON_HEADER: u64 = 16;

/// The objects of a captured heap, by number, and what they refer to.
///
/// # Invariants
///
/// 1. Every slot and every entry names an object.
/// 2. Every object is reached from an entry.
/// 3. An untracked object refers only to untracked objects of lower number, and so is in no cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    origin: String,
    words: Vec<u32>,
    is_tracked: Vec<bool>,
    /// For each object where its slots begin in `targets`, and at the end where the last one's end.
    starts: Vec<u32>,
    targets: Vec<u32>,
    entries: Vec<u32>,
}

/// Why some bytes are not a captured graph that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The file is something else.
    #[error("it does not begin with `CYCGRAPH`")]
    Foreign,
    /// The file was written by another version of the capture script.
    #[error("it is of version {0}, expected {VERSION}")]
    Version(u32),
    /// The end is missing.
    #[error("it is cut short: {0}")]
    Truncated(String),
    /// Something was changed after it was written.
    #[error("it is corrupt: {0}")]
    Corrupt(String),
}

impl Graph {
    /// Decodes and checks a captured graph.
    ///
    /// # Errors
    ///
    /// The bytes are not a captured graph, are of another version, cut short or corrupt.
    pub fn decode(bytes: &[u8]) -> Result<Self, GraphError> {
        let payload = unpack(bytes)?;
        let mut numbers = Numbers { payload: &payload, at: 0 };
        let origin = numbers.text()?;
        let objects = numbers.count("objects")?;
        let edges = numbers.count("edges")?;
        let entries = numbers.count("entries")?;

        let mut sizes = Vec::with_capacity(objects);
        let mut is_tracked = Vec::with_capacity(objects);
        for _ in 0..objects {
            let column = numbers.next()?;
            sizes.push(column >> 1);
            is_tracked.push(column & 1 == 1);
        }
        let mut starts = vec![0];
        let mut end: u64 = 0;
        for _ in 0..objects {
            end = end.saturating_add(numbers.next()?);
            if end > edges as u64 {
                return Err(corrupt(format!("its objects have more than {edges} edges")));
            }
            starts.push(end as u32);
        }
        if end != edges as u64 {
            return Err(corrupt(format!("its objects have {end} edges, expected {edges}")));
        }
        let mut targets = Vec::with_capacity(edges);
        for source in 0..objects {
            for _ in starts[source]..starts[source + 1] {
                targets.push(target(source as u64, numbers.next()?, objects)?);
            }
        }
        let entries = numbers.entries(entries, objects)?;
        if numbers.at != payload.len() {
            let rest = payload.len() - numbers.at;
            return Err(corrupt(format!("{rest} bytes follow its last entry")));
        }

        let mut words = Vec::with_capacity(objects);
        for (object, size) in sizes.into_iter().enumerate() {
            if size > LARGEST {
                return Err(corrupt(format!("object {object} has {size} bytes")));
            }
            let slots = u64::from(starts[object + 1] - starts[object]);
            words.push(data_words(size, slots));
        }
        let graph = Self { origin, words, is_tracked, starts, targets, entries };
        graph.check()?;
        Ok(graph)
    }

    /// Where the graph was captured: interpreter, version and program.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of objects.
    pub fn objects(&self) -> usize {
        self.words.len()
    }

    /// Number of references between objects.
    pub fn edges(&self) -> usize {
        self.targets.len()
    }

    /// Data words of an object, at least 1, rounded up so that a graph has few classes.
    pub fn words(&self, object: usize) -> u32 {
        self.words[object]
    }

    /// Whether an object can be part of a cycle.
    pub fn is_tracked(&self, object: usize) -> bool {
        self.is_tracked[object]
    }

    /// What an object refers to.
    pub fn slots(&self, object: usize) -> &[u32] {
        &self.targets[self.starts[object] as usize..self.starts[object + 1] as usize]
    }

    /// The objects held from outside of the graph, in rising order.
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// Checks invariants 2 and 3; the first holds by construction.
    fn check(&self) -> Result<(), GraphError> {
        for source in (0..self.objects()).filter(|&source| !self.is_tracked[source]) {
            for &target in self.slots(source) {
                if self.is_tracked[target as usize] || target as usize >= source {
                    let problem = format!("object {source} is untracked and refers to {target}");
                    return Err(corrupt(problem));
                }
            }
        }
        let mut is_reached = vec![false; self.objects()];
        let mut pending = self.entries.clone();
        while let Some(object) = pending.pop() {
            if !std::mem::replace(&mut is_reached[object as usize], true) {
                pending.extend(self.slots(object as usize));
            }
        }
        match is_reached.iter().position(|&is_reached| !is_reached) {
            Some(object) => Err(corrupt(format!("no entry leads to object {object}"))),
            None => Ok(()),
        }
    }
}

/// Checks the header and decompresses the payload.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, GraphError> {
    if !bytes.starts_with(MAGIC) {
        return Err(GraphError::Foreign);
    }
    let Some((header, compressed)) = bytes.split_at_checked(HEADER) else {
        let problem = format!("{} bytes, expected {HEADER} of header alone", bytes.len());
        return Err(GraphError::Truncated(problem));
    };
    let field = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| header[at + byte]));
    let (version, length, checksum) = (field(8), field(12), field(16));
    if version != VERSION {
        return Err(GraphError::Version(version));
    }
    if u64::from(length) > compressed.len() as u64 * EXPANSION {
        let problem = format!("{} bytes cannot hold the {length} promised", compressed.len());
        return Err(corrupt(problem));
    }
    // Room for one byte more than promised, so that too much is noticed.
    let mut payload = Vec::with_capacity(length as usize + 1);
    let mut decoder = Decompress::new(true);
    match decoder.decompress_vec(compressed, &mut payload, FlushDecompress::Finish) {
        Err(error) => return Err(corrupt(format!("its payload cannot be decompressed ({error})"))),
        Ok(Status::StreamEnd) if payload.len() == length as usize => {}
        Ok(Status::Ok | Status::BufError) if payload.len() <= length as usize => {
            let problem = format!("{} bytes of payload, expected {length}", payload.len());
            return Err(GraphError::Truncated(problem));
        }
        Ok(_) => {
            let problem = format!("its payload is not of the {length} bytes that its header says");
            return Err(corrupt(problem));
        }
    }
    let rest = compressed.len() as u64 - decoder.total_in();
    if rest > 0 {
        return Err(corrupt(format!("{rest} bytes follow its payload")));
    }
    let mut crc = Crc::new();
    crc.update(&payload);
    if crc.sum() != checksum {
        let problem = format!("its checksum is {:08x}, expected {checksum:08x}", crc.sum());
        return Err(corrupt(problem));
    }
    Ok(payload)
}

/// The object that an edge leads to, from the zigzag distance to its source.
fn target(source: u64, code: u64, objects: usize) -> Result<u32, GraphError> {
    let distance = code >> 1;
    let target = match code & 1 {
        0 => source.checked_sub(distance),
        _ => source.checked_add(distance),
    };
    match target {
        Some(target) if target < objects as u64 => Ok(target as u32),
        _ => Err(corrupt(format!("object {source} refers beyond the {objects} objects"))),
    }
}

/// The data words of an object of `size` bytes with so many slots: what is left beside the slots and the interpreter's
/// header, at least 1. Above 16 words rounded up to a quarter of a power of two.
fn data_words(size: u64, slots: u64) -> u32 {
    let words = (size.saturating_sub(CPYTHON_HEADER) / 8).saturating_sub(slots).max(1);
    let step = (words.next_power_of_two() / 8).max(1);
    let rounded = if words <= 16 { words } else { words.next_multiple_of(step) };
    rounded as u32
}

fn corrupt(problem: String) -> GraphError {
    GraphError::Corrupt(problem)
}

/// The payload, read number by number (LEB128).
struct Numbers<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Numbers<'_> {
    fn next(&mut self) -> Result<u64, GraphError> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let Some(&byte) = self.payload.get(self.at) else {
                return Err(corrupt("its payload ends too early".to_string()));
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(corrupt(format!("a number before byte {} of its payload is too long", self.at)))
    }

    /// A number of things of which each takes at least a byte, so that a false one cannot make us reserve too much.
    fn count(&mut self, what: &str) -> Result<usize, GraphError> {
        let count = self.next()?;
        if count > self.payload.len() as u64 {
            let problem = format!("{count} {what} in {} bytes of payload", self.payload.len());
            return Err(corrupt(problem));
        }
        Ok(count as usize)
    }

    fn text(&mut self) -> Result<String, GraphError> {
        let length = self.count("bytes of text")?;
        let text = self.payload.get(self.at..self.at + length);
        self.at += length;
        text.and_then(|text| String::from_utf8(text.to_vec()).ok())
            .ok_or_else(|| corrupt("its origin is not a text".to_string()))
    }

    fn entries(&mut self, count: usize, objects: usize) -> Result<Vec<u32>, GraphError> {
        let mut entries: Vec<u32> = Vec::with_capacity(count);
        for index in 0..count {
            let step = self.next()?;
            let entry = entries.last().map_or(0, |&last| u64::from(last)).saturating_add(step);
            if entry >= objects as u64 || index > 0 && step == 0 {
                return Err(corrupt(format!("entry {index} is object {entry} of {objects}")));
            }
            entries.push(entry as u32);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests;
