//! The bytes of the state file: two slots of 4 KiB, written in turns, and what a crash can leave in them.
//!
//! Pure: it turns payloads into slots and two slots into the newest payload. Files and locks are next door.
//!
//! A slot is eight sectors of 512 bytes, because that is what disks write whole. Each sector stands for itself:
//!
//! ```text
//! 0   magic "TST1"            4
//! 4   sequence number         8   little-endian, as all numbers here
//! 12  payload length          2   of the whole slot
//! 14  sector number           2   0…7
//! 16  CRC-32 of the payload   4   of the whole slot: the sectors of one write share it
//! 20  part of the payload   488
//! 508 CRC-32 of bytes 0…507   4
//! ```
//!
//! The slot of sequence number n is n mod 2, so the write of n + 1 goes over n − 1 and leaves n alone. A write that a
//! crash cut short leaves sound sectors of n − 1 and of n + 1 side by side. That proves that nobody was told that n + 1
//! was durable, and n counts. A sector that is not sound proves nothing: it may have held an acknowledged vote. Then
//! the file cannot be read (N20), because a vote that is lost in silence can be given twice.

/// The bytes of a sector.
const SECTOR: usize = 512;
/// Sectors of a slot.
const SECTORS: usize = 8;
/// The bytes of a slot.
pub const SLOT: usize = SECTOR * SECTORS;
/// The bytes of the file.
pub const FILE: usize = 2 * SLOT;
/// The first bytes of every sector; the digit is the format's version.
const MAGIC: [u8; 4] = *b"TST1";
const HEAD: usize = 20;
const BODY: usize = SECTOR - HEAD - 4;
/// The longest payload, in bytes.
pub const MAX_PAYLOAD: usize = BODY * SECTORS;

/// The sector's fields.
struct Sector {
    sequence: u64,
    length: u16,
    checksum: u32,
}

/// Where the slot of `sequence` begins in the file.
pub fn place(sequence: u64) -> u64 {
    (sequence % 2) * SLOT as u64
}

/// The slot that holds `payload`; `None` when it does not fit.
pub fn encode(sequence: u64, payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let length = u16::try_from(payload.len()).ok()?;
    let checksum = crc32fast::hash(payload);
    let mut slot = Vec::with_capacity(SLOT);
    for number in 0..SECTORS as u16 {
        let start = slot.len();
        let from = (usize::from(number) * BODY).min(payload.len());
        let to = (from + BODY).min(payload.len());
        slot.extend_from_slice(&MAGIC);
        slot.extend_from_slice(&sequence.to_le_bytes());
        slot.extend_from_slice(&length.to_le_bytes());
        slot.extend_from_slice(&number.to_le_bytes());
        slot.extend_from_slice(&checksum.to_le_bytes());
        slot.extend_from_slice(&payload[from..to]);
        slot.resize(start + SECTOR - 4, 0);
        let sum = crc32fast::hash(&slot[start..]);
        slot.extend_from_slice(&sum.to_le_bytes());
    }
    Some(slot)
}

/// What a slot holds.
enum Slot {
    /// One write, whole.
    Whole { sequence: u64, payload: Vec<u8> },
    /// Sound sectors of more than one write: the numbers of these.
    Torn { sequences: Vec<u64> },
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

fn decode_sector(bytes: &[u8], expected: usize) -> Result<Sector, String> {
    let sum = u32::from_le_bytes(number(bytes, SECTOR - 4));
    if crc32fast::hash(&bytes[..SECTOR - 4]) != sum {
        return Err(format!("sector {expected} fails its checksum"));
    }
    if bytes[..4] != MAGIC {
        return Err(format!("sector {expected} is of another format, perhaps of a newer version of this program"));
    }
    if usize::from(u16::from_le_bytes(number(bytes, 14))) != expected {
        return Err(format!("sector {expected} stands in another's place"));
    }
    Ok(Sector {
        sequence: u64::from_le_bytes(number(bytes, 4)),
        length: u16::from_le_bytes(number(bytes, 12)),
        checksum: u32::from_le_bytes(number(bytes, 16)),
    })
}

fn decode_slot(slot: &[u8]) -> Result<Slot, String> {
    let mut sectors = Vec::with_capacity(SECTORS);
    let mut payload = Vec::with_capacity(BODY);
    for (expected, bytes) in slot.chunks_exact(SECTOR).enumerate() {
        sectors.push(decode_sector(bytes, expected)?);
        payload.extend_from_slice(&bytes[HEAD..HEAD + BODY]);
    }
    let Some(first) = sectors.first() else {
        return Err("it is empty".to_owned());
    };
    let one_write = sectors
        .iter()
        .all(|one| (one.sequence, one.length, one.checksum) == (first.sequence, first.length, first.checksum));
    if !one_write {
        return Ok(Slot::Torn { sequences: sectors.iter().map(|one| one.sequence).collect() });
    }
    payload.truncate(usize::from(first.length));
    if crc32fast::hash(&payload) != first.checksum {
        return Err("its payload fails its checksum".to_owned());
    }
    Ok(Slot::Whole { sequence: first.sequence, payload })
}

/// The newest payload of the file and its sequence number, or why it cannot be known.
pub fn newest(file: &[u8]) -> Result<(u64, Vec<u8>), String> {
    if file.len() != FILE {
        return Err(format!("it has {} bytes instead of {FILE}", file.len()));
    }
    let (even, odd) = file.split_at(SLOT);
    let even = decode_slot(even).map_err(|why| format!("slot 0: {why}"))?;
    let odd = decode_slot(odd).map_err(|why| format!("slot 1: {why}"))?;
    match (even, odd) {
        (Slot::Whole { sequence: a, payload: even }, Slot::Whole { sequence: b, payload: odd }) => {
            if a % 2 != 0 || b % 2 != 1 || a.abs_diff(b) != 1 {
                return Err(format!("its slots are numbered {a} and {b}, which do not follow each other"));
            }
            Ok(if a > b { (a, even) } else { (b, odd) })
        }
        (Slot::Whole { sequence, payload }, Slot::Torn { sequences })
        | (Slot::Torn { sequences }, Slot::Whole { sequence, payload }) => {
            let around = |other: &u64| other.abs_diff(sequence) == 1;
            if !sequences.iter().all(around) || !sequences.contains(&(sequence.wrapping_add(1))) {
                return Err(format!("a write cut short does not belong beside the whole one, number {sequence}"));
            }
            Ok((sequence, payload))
        }
        (Slot::Torn { .. }, Slot::Torn { .. }) => Err("both slots are cut short".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(older: (u64, &[u8]), newer: (u64, &[u8])) -> Vec<u8> {
        let mut bytes = vec![0; FILE];
        for (sequence, payload) in [older, newer] {
            let at = place(sequence) as usize;
            bytes[at..at + SLOT].copy_from_slice(&encode(sequence, payload).unwrap());
        }
        bytes
    }

    #[test]
    fn the_newer_slot_counts_whichever_place_it_has() {
        assert_eq!(newest(&file((4, b"old"), (5, b"new"))), Ok((5, b"new".to_vec())));
        assert_eq!(newest(&file((5, b"old"), (6, b"new"))), Ok((6, b"new".to_vec())));
    }

    #[test]
    fn a_payload_fills_a_slot_and_no_more() {
        let full = vec![7; MAX_PAYLOAD];
        assert_eq!(newest(&file((0, b""), (1, &full))), Ok((1, full)));
        assert_eq!(encode(1, &vec![7; MAX_PAYLOAD + 1]), None);
    }

    #[test]
    fn n20_every_write_cut_short_between_sectors_leaves_the_one_before() {
        let long_old = vec![b'o'; 900];
        let long_new = vec![b'n'; 1_900];
        let before = file((6, &long_old), (7, b"acknowledged"));
        let after = file((8, &long_new), (7, b"acknowledged"));
        // Any subset of the slot's sectors may have reached the disk, in any order.
        for landed in 0..(1_u32 << SECTORS) {
            let mut torn = before.clone();
            for sector in (0..SECTORS).filter(|sector| landed & (1 << sector) != 0) {
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                torn[range.clone()].copy_from_slice(&after[range]);
            }
            let expected =
                if landed == (1 << SECTORS) - 1 { (8, long_new.clone()) } else { (7, b"acknowledged".to_vec()) };
            assert_eq!(newest(&torn), Ok(expected), "sectors {landed:08b}");
        }
    }

    #[test]
    fn n20_a_second_try_of_a_failed_write_that_is_cut_short_leaves_the_one_before() {
        let mut torn = file((8, b"first try"), (7, b"acknowledged"));
        let second = file((8, b"other try"), (7, b"acknowledged"));
        torn[..SECTOR].copy_from_slice(&second[..SECTOR]);
        assert_eq!(newest(&torn), Ok((7, b"acknowledged".to_vec())));
    }

    #[test]
    fn n20_a_slot_from_another_time_is_not_taken_for_a_write_cut_short() {
        let mut bytes = file((6, b"old"), (7, b"new"));
        let foreign = file((2, b"very old"), (3, b"old"));
        bytes[..SECTOR].copy_from_slice(&foreign[..SECTOR]);
        assert!(newest(&bytes).is_err());
        assert!(newest(&file((2, b"a"), (7, b"b"))).is_err());
        assert!(newest(&[]).is_err());
        assert!(newest(&vec![0; FILE]).is_err(), "zeros are what a lost write leaves");
    }

    proptest! {
        #[test]
        fn n20_rot_is_refused_and_never_taken_for_an_older_state(at in 0..FILE, flip in 1..=255_u8) {
            let mut bytes = file((6, b"the older state"), (7, b"the acknowledged state"));
            bytes[at] ^= flip;
            prop_assert!(newest(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), FILE..=FILE)) {
            prop_assert!(newest(&bytes).is_err());
        }
    }
}
