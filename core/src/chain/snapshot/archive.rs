//! Files of a snapshot one after the other in a tar archive (POSIX ustar), piece by piece.
//!
//! Who and when do not stand in it: the same files make the same archive. A reader does not mind archives
//! that another tool packed, as long as they hold plain files.

use super::{BadSnapshot, MAX_FILE_NAME_BYTES, Opened, Reader};

/// Size of a header, and of what a file's bytes are filled up to.
const BLOCK: usize = 512;
/// What an archive ends with.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// Most zeros after the first block of them: tools fill archives up to a whole number of records. Without a bound
/// nothing but its total length would end an archive that goes on with zeros.
const MAX_END_BYTES: usize = 64 << 10;

/// An archive's header of a file, to be followed by its bytes and [`padding`].
#[allow(clippy::indexing_slicing, reason = "every place lies within a block")]
pub fn header(name: &str, length: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |from: usize, bytes: &[u8]| {
        let places = block.iter_mut().skip(from);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
    };
    put(0, name.as_bytes().get(..MAX_FILE_NAME_BYTES).unwrap_or(name.as_bytes()));
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{length:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&block));
    block[148..156].iter_mut().zip(sum.bytes()).for_each(|(place, byte)| *place = byte);
    block
}

/// What fills a file's bytes up to a whole number of blocks.
pub fn padding(length: usize) -> &'static [u8] {
    END.get(..padding_bytes(length)).unwrap_or_default()
}

/// What an archive ends with.
pub const fn end() -> &'static [u8] {
    &END
}

fn padding_bytes(length: usize) -> usize {
    length.wrapping_neg() % BLOCK
}

/// Sum of a header's bytes, its own field counted as blanks.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte });
    block.iter().enumerate().map(byte).fold(0, u32::wrapping_add)
}

/// Takes an archive piece by piece as it is inflated, and gives its files to a [`Reader`].
pub struct Unpacker {
    reader: Reader,
    /// Bytes that may still come.
    room: u64,
    limit: u64,
    header: Vec<u8>,
    part: Part,
}

/// What the next byte belongs to.
enum Part {
    Header,
    File { name: String, bytes: Vec<u8>, length: usize },
    Padding { left: usize },
    End { room: usize },
}

impl Unpacker {
    /// For an archive of at most so many bytes after inflating.
    pub const fn new(reader: Reader, limit_bytes: u64) -> Self {
        Self { reader, room: limit_bytes, limit: limit_bytes, header: Vec::new(), part: Part::Header }
    }

    /// How many of all chunks were taken.
    pub fn progress(&self) -> (usize, usize) {
        self.reader.progress()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`BadSnapshot`]; the archive is of no more use then.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), BadSnapshot> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.room = self.room.checked_sub(length).ok_or_else(|| bad(format!("more than {} bytes", self.limit)))?;
        while !piece.is_empty() {
            let taken = self.step(piece)?;
            piece = piece.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// The snapshot, when the archive has ended.
    ///
    /// # Errors
    /// [`BadSnapshot`].
    pub fn finish(self) -> Result<Opened, BadSnapshot> {
        match self.part {
            Part::End { .. } => self.reader.finish(),
            Part::File { name, .. } => Err(BadSnapshot::Missing { file: name }),
            Part::Header | Part::Padding { .. } => match self.reader.expected() {
                Some(file) => Err(BadSnapshot::Missing { file }),
                None => Err(bad("it ends without an end".to_owned())),
            },
        }
    }

    /// Takes at least one byte of a piece that has some, and says how many.
    fn step(&mut self, piece: &[u8]) -> Result<usize, BadSnapshot> {
        match &mut self.part {
            Part::Header => {
                let taken = move_into(&mut self.header, piece, BLOCK);
                if self.header.len() == BLOCK {
                    self.part = self.open()?;
                    self.header.clear();
                }
                Ok(taken)
            }
            Part::File { name, bytes, length } => {
                let taken = move_into(bytes, piece, *length);
                if bytes.len() == *length {
                    self.reader.take(name, bytes)?;
                    self.part = after(*length);
                }
                Ok(taken)
            }
            Part::Padding { left } => {
                let taken = piece.len().min(*left);
                *left = left.saturating_sub(taken);
                if *left == 0 {
                    self.part = Part::Header;
                }
                Ok(taken)
            }
            Part::End { room } => {
                *room = room
                    .checked_sub(piece.len())
                    .filter(|_| piece.iter().all(|byte| *byte == 0))
                    .ok_or_else(|| bad("something follows its end".to_owned()))?;
                Ok(piece.len())
            }
        }
    }

    /// Reads the header that is there.
    fn open(&mut self) -> Result<Part, BadSnapshot> {
        let block: &[u8; BLOCK] =
            self.header.as_slice().try_into().map_err(|_| bad("a header of another length".to_owned()))?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Part::End { room: MAX_END_BYTES });
        }
        let field = |from: usize, length: usize| {
            let field = block.get(from..from.saturating_add(length)).unwrap_or_default();
            let end = field.iter().position(|byte| *byte == 0 || *byte == b' ').unwrap_or(field.len());
            std::str::from_utf8(field.get(..end).unwrap_or_default()).ok()
        };
        let number = |from, length| field(from, length).and_then(|digits| u32::from_str_radix(digits, 8).ok());
        if number(148, 8) != Some(checksum(block)) {
            return Err(bad("a header with a wrong sum".to_owned()));
        }
        let is_plain = matches!(block.get(156), Some(0 | b'0')) && block.get(345) == Some(&0);
        match (field(0, 100), number(124, 12).and_then(|length| usize::try_from(length).ok())) {
            (Some(name), Some(length)) if is_plain => {
                self.reader.look(name, length)?;
                if length == 0 {
                    self.reader.take(name, &[])?;
                    return Ok(Part::Header);
                }
                Ok(Part::File { name: name.to_owned(), bytes: Vec::new(), length })
            }
            _ => Err(bad("a header of no plain file".to_owned())),
        }
    }
}

fn after(length: usize) -> Part {
    match padding_bytes(length) {
        0 => Part::Header,
        left => Part::Padding { left },
    }
}

/// Moves bytes over until there are `full`; says how many.
fn move_into(bytes: &mut Vec<u8>, piece: &[u8], full: usize) -> usize {
    let taken = piece.len().min(full.saturating_sub(bytes.len()));
    bytes.extend_from_slice(piece.get(..taken).unwrap_or_default());
    taken
}

const fn bad(reason: String) -> BadSnapshot {
    BadSnapshot::Archive { reason }
}
