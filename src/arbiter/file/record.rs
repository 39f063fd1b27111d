//! What stands in the file of one generation: who holds the lease in which number, and a counter that each renewal raises.
//!
//! The text is for people too. It stands twice, in two slots of fixed length; a renewal writes over the one that is not the
//! latest, so that a write which was torn leaves the other. Each slot ends with a checksum of itself.

/// The length of one slot.
const SLOT: usize = 256;

/// The length of a whole file.
pub(super) const LENGTH: usize = 2 * SLOT;

/// Whether the holder has given its lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// It has it, for as long as it renews it.
    Held,
    /// It has given it back.
    Released,
}

impl Given {
    fn word(self) -> &'static str {
        match self {
            Given::Held => "held",
            Given::Released => "released",
        }
    }
}

/// One generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation {
    /// Its number, which becomes the term's.
    pub number: u64,
    /// The name of the member that claimed it.
    pub holder: String,
    /// Which run of that member's controller: chance. Two machines that call themselves the same are told apart by it.
    pub instance: u64,
    /// How long its holder's lease lasts, milliseconds: who waits for its end waits for this, whatever its own is.
    pub lease_ms: u64,
    /// How often it was renewed.
    pub counter: u64,
    /// Whether it was given back.
    pub given: Given,
}

/// Why the bytes of a file are no generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotOurs;

impl Generation {
    /// A slot's whole text.
    fn slot(&self) -> [u8; SLOT] {
        let Generation { number, holder, instance, lease_ms, counter, given } = self;
        let given = given.word();
        let text = format!(
            "tandem-lease=1 number={number} holder={holder} instance={instance:016x} lease_ms={lease_ms} \
             counter={counter} state={given} "
        );
        let line = format!("{text}crc={:08x}", crc32fast::hash(text.as_bytes()));
        let mut slot = [b' '; SLOT];
        slot[SLOT - 1] = b'\n';
        // A member's name has at most 32 bytes, so the line is shorter than a slot.
        for (place, byte) in slot[..SLOT - 1].iter_mut().zip(line.bytes()) {
            *place = byte;
        }
        slot
    }

    /// A new file: the other slot is empty.
    pub(super) fn file(&self) -> Vec<u8> {
        let mut file = self.slot().to_vec();
        file.resize(LENGTH - 1, b' ');
        file.push(b'\n');
        file
    }

    /// What a renewal writes over `file`, and where: the slot that is not the latest.
    pub(super) fn update(&self, file: &[u8]) -> (u64, [u8; SLOT]) {
        let counter = |slot: &[u8]| Generation::of_slot(slot).map(|generation| generation.counter);
        let (first, second) = file.split_at(SLOT.min(file.len()));
        let offset = if counter(first) > counter(second) { SLOT as u64 } else { 0 };
        (offset, self.slot())
    }

    /// The later of the two slots that is whole.
    pub(super) fn read(file: &[u8]) -> Result<Generation, NotOurs> {
        if file.len() != LENGTH {
            return Err(NotOurs);
        }
        let slots = file.chunks(SLOT).filter_map(Generation::of_slot);
        slots.max_by_key(|generation| generation.counter).ok_or(NotOurs)
    }

    fn of_slot(slot: &[u8]) -> Option<Generation> {
        let line = std::str::from_utf8(slot).ok()?.trim_end();
        let (text, crc) = line.split_at_checked(line.rfind("crc=")?)?;
        let wanted = u32::from_str_radix(crc.strip_prefix("crc=")?, 16).ok()?;
        if crc32fast::hash(text.as_bytes()) != wanted {
            return None;
        }
        let mut words = text.split(' ');
        let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        if value("tandem-lease")? != "1" {
            return None;
        }
        Some(Generation {
            number: value("number")?.parse().ok()?,
            holder: value("holder")?.to_owned(),
            instance: u64::from_str_radix(value("instance")?, 16).ok()?,
            lease_ms: value("lease_ms")?.parse().ok()?,
            counter: value("counter")?.parse().ok()?,
            given: match value("state")? {
                "held" => Given::Held,
                "released" => Given::Released,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(counter: u64) -> Generation {
        Generation {
            number: u64::MAX,
            holder: "a-name-of-thirty-two-characters-".to_owned(),
            instance: u64::MAX,
            lease_ms: 86_400_000,
            counter,
            given: Given::Released,
        }
    }

    #[test]
    fn the_longest_generation_fits_and_is_read_back() {
        for counter in [0, 1, u64::MAX] {
            assert_eq!(Generation::read(&generation(counter).file()), Ok(generation(counter)));
        }
    }

    #[test]
    fn s1_a_torn_renewal_leaves_the_one_before() {
        let mut file = generation(0).file();
        for counter in 1..5 {
            let (offset, slot) = generation(counter).update(&file);
            let offset = offset as usize;
            for length in 0..SLOT {
                let mut torn = file.clone();
                torn[offset..offset + length].copy_from_slice(&slot[..length]);
                let read = Generation::read(&torn).expect("one slot is whole");
                assert!(read == generation(counter - 1) || read == generation(counter), "{length}: {read:?}");
            }
            file[offset..offset + SLOT].copy_from_slice(&slot);
            assert_eq!(Generation::read(&file), Ok(generation(counter)));
        }
    }

    #[test]
    fn what_is_not_ours_is_no_generation() {
        let whole = generation(0).file();
        let other = whole.iter().map(|byte| byte.to_ascii_uppercase()).collect::<Vec<u8>>();
        for file in [&whole[..LENGTH - 1], &[0; LENGTH], b"", b"a shopping list\n", &other] {
            assert_eq!(Generation::read(file), Err(NotOurs));
        }
    }
}
