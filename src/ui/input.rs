//! From the terminal's bytes to keys.
//!
//! Our own decoder, because the accidents of a bad line are the point (U8): an escape sequence that arrives in pieces
//! is still one sequence and never turns into letters; pasted text, marked or not, is told apart from typing. It reads
//! nothing itself and knows no clock: the driver feeds it what it read, with the time.

use std::time::Duration;

/// A key, or what came instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Control and a letter, in lower case.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape, alone.
    Esc,
    /// Tab.
    Tab,
    /// Tab with Shift.
    BackTab,
    /// Backspace.
    Backspace,
    /// The arrow.
    Up,
    /// The arrow.
    Down,
    /// The arrow.
    Left,
    /// The arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
    /// A key without a meaning here: a function key, Alt with a letter, an unknown sequence, broken UTF-8.
    Unknown,
}

impl Key {
    /// Whether a paste could have brought it.
    pub fn is_text(self) -> bool {
        matches!(self, Key::Char(_) | Key::Enter | Key::Tab)
    }
}

/// What the decoder hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted: marked by the terminal, or too much at once for a hand. Its letters follow.
    Paste,
    /// A letter of the pasted text, printable ASCII: for a line of text that is being typed, and for nothing else.
    Pasted(char),
}

/// How long an Esc waits for its tail: a person must not feel it.
const ESC_WAIT: Duration = Duration::from_millis(40);
/// How long it waits once the line has torn a sequence apart.
const TORN_WAIT: Duration = Duration::from_millis(250);
/// How long after a lone Esc a `[` or `O` still counts as its tail, which is then dropped: the Esc has been answered.
/// Nobody types these as commands.
const LATE_TAIL: Duration = Duration::from_millis(1500);
/// A marked paste whose end got lost is over after this much silence.
const PASTE_SILENCE: Duration = Duration::from_secs(2);
/// Parameters of a sequence beyond this are not kept.
const MAX_PARAMETERS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ground,
    /// An Esc came.
    Esc,
    /// Esc [ and parameters.
    Csi,
    /// Esc O.
    Ss3,
    /// So many bytes of an old mouse report or a console function key follow.
    Skip(u8),
    /// Inside a marked paste; how much of its end mark has been seen.
    Paste(usize),
}

const PASTE_END: &[u8] = b"\x1b[201~";

/// The decoder.
#[derive(Debug)]
pub struct Decoder {
    mode: Mode,
    parameters: Vec<u8>,
    /// The tail of a UTF-8 character that is still to come.
    utf8: Vec<u8>,
    /// When the last byte came.
    last: Duration,
    /// When an Esc was handed on as a key of its own.
    lone_esc: Option<Duration>,
    /// How long an Esc waits on this line.
    esc_wait: Duration,
    /// Whether the sequence in hand is the late tail of an Esc that was answered.
    late: bool,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            mode: Mode::Ground,
            parameters: Vec::new(),
            utf8: Vec::new(),
            last: Duration::ZERO,
            lone_esc: None,
            esc_wait: ESC_WAIT,
            late: false,
        }
    }
}

impl Decoder {
    /// Takes what one read returned. Several different letters in one read are a paste that was not marked.
    pub fn feed(&mut self, bytes: &[u8], now: Duration) -> Vec<Input> {
        let mut inputs = self.expire(now);
        let mut fresh = Vec::new();
        self.last = now;
        for &byte in bytes {
            self.byte(byte, now, &mut fresh);
        }
        let mut texts = fresh.iter().filter_map(|input| match input {
            Input::Key(key) if key.is_text() => Some(*key),
            Input::Key(_) | Input::Paste | Input::Pasted(_) => None,
        });
        // The same key several times is a held key on a slow line.
        let first = texts.next();
        if texts.any(|key| Some(key) != first) {
            let pasted = fresh.iter().filter_map(|input| match input {
                Input::Key(Key::Char(letter)) if letter.is_ascii() => Some(Input::Pasted(*letter)),
                Input::Key(_) | Input::Paste | Input::Pasted(_) => None,
            });
            let pasted: Vec<Input> = std::iter::once(Input::Paste).chain(pasted).collect();
            fresh.retain(|input| !matches!(input, Input::Key(key) if key.is_text()));
            fresh.splice(0..0, pasted);
        }
        inputs.extend(fresh);
        inputs
    }

    /// What time alone brings about: an Esc without a tail becomes a key.
    pub fn expire(&mut self, now: Duration) -> Vec<Input> {
        let silent = now.saturating_sub(self.last);
        match self.mode {
            Mode::Esc if silent >= self.esc_wait => {
                self.mode = Mode::Ground;
                self.lone_esc = Some(now);
                vec![Input::Key(Key::Esc)]
            }
            Mode::Paste(_) if silent >= PASTE_SILENCE => {
                self.mode = Mode::Ground;
                Vec::new()
            }
            Mode::Ground | Mode::Esc | Mode::Csi | Mode::Ss3 | Mode::Skip(_) | Mode::Paste(_) => Vec::new(),
        }
    }

    /// When [`Decoder::expire`] should be called next.
    pub fn deadline(&self) -> Option<Duration> {
        match self.mode {
            Mode::Esc => Some(self.last + self.esc_wait),
            Mode::Paste(_) => Some(self.last + PASTE_SILENCE),
            // A sequence that began waits for its end, however late: its tail must not become letters.
            Mode::Ground | Mode::Csi | Mode::Ss3 | Mode::Skip(_) => None,
        }
    }

    fn byte(&mut self, byte: u8, now: Duration, out: &mut Vec<Input>) {
        match self.mode {
            Mode::Ground => self.ground(byte, now, out),
            Mode::Esc => match byte {
                b'[' => self.begin(Mode::Csi),
                b'O' => self.begin(Mode::Ss3),
                0x1b => out.push(Input::Key(Key::Esc)),
                _ => {
                    // Alt and a letter, or an Esc and a letter that the line put together: neither is that letter.
                    self.mode = Mode::Ground;
                    out.push(Input::Key(Key::Unknown));
                }
            },
            Mode::Csi => match byte {
                b'[' if self.parameters.is_empty() => self.mode = Mode::Skip(1),
                b'M' if self.parameters.is_empty() => self.mode = Mode::Skip(3),
                0x40..=0x7e => self.end_csi(byte, out),
                0x1b => self.mode = Mode::Esc,
                0x00..=0x1a => {
                    self.mode = Mode::Ground;
                    self.ground(byte, now, out);
                }
                0x1c..=0x3f | 0x7f..=0xff => {
                    if self.parameters.len() < MAX_PARAMETERS {
                        self.parameters.push(byte);
                    }
                }
            },
            Mode::Ss3 => {
                self.mode = Mode::Ground;
                match byte {
                    0x1b => self.mode = Mode::Esc,
                    b'A'..=b'D' | b'H' | b'F' | b'M' => self.press(cursor(byte), out),
                    _ => self.press(Key::Unknown, out),
                }
            }
            Mode::Skip(left) => {
                self.mode = if left > 1 { Mode::Skip(left - 1) } else { Mode::Ground };
                if left == 1 {
                    self.press(Key::Unknown, out);
                }
            }
            Mode::Paste(seen) => {
                if seen == 0 && (b' '..=b'~').contains(&byte) {
                    out.push(Input::Pasted(byte.into()));
                }
                let seen = match PASTE_END.get(seen) {
                    Some(&wanted) if wanted == byte => seen + 1,
                    Some(_) | None => usize::from(byte == 0x1b),
                };
                self.mode = if seen == PASTE_END.len() { Mode::Ground } else { Mode::Paste(seen) };
            }
        }
    }

    fn begin(&mut self, mode: Mode) {
        self.parameters.clear();
        self.mode = mode;
        self.late = false;
    }

    /// The tail of an Esc that was taken for a key. From now on an Esc waits longer here.
    fn begin_late(&mut self, mode: Mode) {
        self.begin(mode);
        self.late = true;
        self.esc_wait = TORN_WAIT;
    }

    /// What a sequence meant, unless its Esc has been answered already.
    fn press(&mut self, key: Key, out: &mut Vec<Input>) {
        if !self.late {
            out.push(Input::Key(key));
        }
    }

    fn ground(&mut self, byte: u8, now: Duration, out: &mut Vec<Input>) {
        let after_esc = self.lone_esc.take().is_some_and(|at| now.saturating_sub(at) < LATE_TAIL);
        if !self.utf8.is_empty() && byte & 0xc0 != 0x80 {
            self.utf8.clear();
            out.push(Input::Key(Key::Unknown));
        }
        match byte {
            b'[' if after_esc => self.begin_late(Mode::Csi),
            b'O' if after_esc => self.begin_late(Mode::Ss3),
            0x1b => self.mode = Mode::Esc,
            b'\r' | b'\n' => out.push(Input::Key(Key::Enter)),
            b'\t' => out.push(Input::Key(Key::Tab)),
            0x08 | 0x7f => out.push(Input::Key(Key::Backspace)),
            0x01..=0x1a => out.push(Input::Key(Key::Ctrl((b'a' + byte - 1).into()))),
            0x00 | 0x1c..=0x1f => out.push(Input::Key(Key::Unknown)),
            0x20..=0x7e => out.push(Input::Key(Key::Char(byte.into()))),
            0x80..=0xff => {
                self.utf8.push(byte);
                match std::str::from_utf8(&self.utf8) {
                    Ok(text) => {
                        out.extend(text.chars().map(|character| Input::Key(Key::Char(character))));
                        self.utf8.clear();
                    }
                    Err(error) if error.error_len().is_some() => {
                        self.utf8.clear();
                        out.push(Input::Key(Key::Unknown));
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn end_csi(&mut self, byte: u8, out: &mut Vec<Input>) {
        self.mode = Mode::Ground;
        let parameters = std::mem::take(&mut self.parameters);
        let first = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
        match (byte, first) {
            (b'~', b"200") => {
                self.mode = Mode::Paste(0);
                out.push(Input::Paste);
            }
            (b'~', b"201") => {}
            (b'~', b"1" | b"7") => self.press(Key::Home, out),
            (b'~', b"4" | b"8") => self.press(Key::End, out),
            (b'~', b"5") => self.press(Key::PageUp, out),
            (b'~', b"6") => self.press(Key::PageDown, out),
            (b'Z', _) => self.press(Key::BackTab, out),
            (b'A'..=b'D' | b'H' | b'F', b"" | b"1") => self.press(cursor(byte), out),
            // Focus reports of a terminal that was left in that mode.
            (b'I' | b'O', b"") => {}
            (_, _) => self.press(Key::Unknown, out),
        }
    }
}

fn cursor(byte: u8) -> Key {
    match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        _ => Key::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_at_a_time(bytes: &[u8], gap: Duration) -> Vec<Input> {
        let mut decoder = Decoder::default();
        let mut now = Duration::from_secs(1);
        let mut inputs = Vec::new();
        for byte in bytes {
            inputs.extend(decoder.feed(&[*byte], now));
            now += gap;
            inputs.extend(decoder.expire(now));
        }
        inputs.extend(decoder.expire(now + Duration::from_secs(1)));
        inputs
    }

    #[test]
    fn u8_a_split_escape_sequence_never_turns_into_letters() {
        for gap in [0, 20, 39, 40, 100, 260, 400, 1400] {
            for sequence in [&b"\x1b[A"[..], b"\x1bOB", b"\x1b[1;5C", b"\x1b[15~", b"\x1b[5~", b"\x1b[Z", b"\x1b[[A"] {
                let inputs = one_at_a_time(sequence, Duration::from_millis(gap));
                assert!(
                    inputs
                        .iter()
                        .all(|input| !matches!(input, Input::Key(Key::Char(_)) | Input::Paste | Input::Pasted(_))),
                    "{sequence:?} at {gap} ms: {inputs:?}"
                );
            }
        }
        assert_eq!(one_at_a_time(b"\x1b[A", Duration::from_millis(30)), [Input::Key(Key::Up)]);
        let torn = one_at_a_time(b"\x1b[A\x1b[B", Duration::from_millis(100));
        assert_eq!(torn, [Input::Key(Key::Esc), Input::Key(Key::Down)], "the line has shown that it tears: Esc waits");
        let paste = one_at_a_time(b"\x1b[200~ax\x1b[201~", Duration::from_millis(100));
        let pasted = [Input::Key(Key::Esc), Input::Paste, Input::Pasted('a'), Input::Pasted('x')];
        assert_eq!(paste, pasted, "a torn paste is a paste all the same");
    }

    #[test]
    fn u8_an_esc_alone_is_esc_after_a_while() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b", Duration::ZERO).is_empty());
        assert_eq!(decoder.deadline(), Some(ESC_WAIT));
        assert!(decoder.expire(Duration::from_millis(39)).is_empty());
        assert_eq!(decoder.expire(ESC_WAIT), [Input::Key(Key::Esc)]);
        assert_eq!(decoder.feed(b"q", Duration::from_millis(300)), [Input::Key(Key::Char('q'))]);
    }

    #[test]
    fn u8_a_marked_paste_is_one_paste_even_in_pieces() {
        let text = b"\x1b[200~a47\rq\x1b[A\x1b[20x\x1b[201~";
        let mut decoder = Decoder::default();
        let inputs = decoder.feed(text, Duration::ZERO);
        assert_eq!(inputs, one_at_a_time(text, Duration::from_millis(30)));
        assert_eq!(inputs[0], Input::Paste);
        assert!(inputs[1..].iter().all(|input| matches!(input, Input::Pasted(_))), "{inputs:?}");
        assert_eq!(decoder.feed(b"w", Duration::from_secs(1)), [Input::Key(Key::Char('w'))]);
    }

    #[test]
    fn u8_a_paste_whose_end_is_lost_ends_by_itself() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"\x1b[200~a", Duration::ZERO), [Input::Paste, Input::Pasted('a')]);
        assert_eq!(decoder.feed(b"w", Duration::from_secs(3)), [Input::Key(Key::Char('w'))]);
    }

    #[test]
    fn u8_an_unmarked_paste_is_known_by_its_pace() {
        let mut decoder = Decoder::default();
        let pasted = [Input::Paste, Input::Pasted('4'), Input::Pasted('7')];
        assert_eq!(decoder.feed(b"47\r", Duration::ZERO), pasted);
        let held = decoder.feed(b"jjj", Duration::from_secs(1));
        assert_eq!(held, [Input::Key(Key::Char('j')); 3], "a held key on a slow line is no paste");
    }

    #[test]
    fn u8_letters_beyond_ascii_arrive_whole() {
        assert_eq!(one_at_a_time("л".as_bytes(), Duration::from_millis(10)), [Input::Key(Key::Char('л'))]);
        assert_eq!(
            one_at_a_time(&[0xff, b'q'], Duration::ZERO),
            [Input::Key(Key::Unknown), Input::Key(Key::Char('q'))]
        );
    }
}
