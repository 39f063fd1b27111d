//! Encryption with the group's key (S8): `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s` from the snow library.
//!
//! NN with a pre-shared key in front authenticates "holds the group key", not a single member, and every connection has
//! keys of its own. Messages are numbered from 0 in each direction, so a repeated, reordered or changed frame does not
//! open.

use snow::{Builder, HandshakeState, StatelessTransportState};

use super::frame::MAX_FRAME;
#[cfg(test)]
use super::frame::TAG;

/// The protocol's name, as Noise mixes it into the keys.
pub const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// The bytes of each of the two handshake messages: an ephemeral key and the tag of an empty payload.
pub const HANDSHAKE_MESSAGE: usize = 48;

/// A frame, or a handshake message, that does not open with the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CipherError(String);

impl From<snow::Error> for CipherError {
    fn from(error: snow::Error) -> CipherError {
        CipherError(error.to_string())
    }
}

/// A connection's protection, shared by its two directions.
pub(super) enum Cipher {
    /// Plain text: frames are their own content.
    Plain,
    /// Each frame sealed with its number.
    Noise(Box<StatelessTransportState>),
}

impl Cipher {
    /// Appends `plain`, sealed as message `number`, to `out`.
    pub(super) fn seal(&self, number: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        match self {
            Cipher::Plain => out.extend_from_slice(plain),
            Cipher::Noise(state) => {
                let mut sealed = [0; MAX_FRAME];
                let length = state.write_message(number, plain, &mut sealed)?;
                out.extend_from_slice(&sealed[..length]);
            }
        }
        Ok(())
    }

    /// Opens message `number`.
    pub(super) fn open(&self, number: u64, sealed: &[u8]) -> Result<Vec<u8>, CipherError> {
        match self {
            Cipher::Plain => Ok(sealed.to_vec()),
            Cipher::Noise(state) => {
                let mut plain = vec![0; sealed.len()];
                let length = state.read_message(number, sealed, &mut plain)?;
                plain.truncate(length);
                Ok(plain)
            }
        }
    }

    pub(super) fn encrypted(&self) -> bool {
        match self {
            Cipher::Plain => false,
            Cipher::Noise(_) => true,
        }
    }
}

/// The caller's half of a handshake, waiting for the answer.
pub(super) struct Calling(HandshakeState);

/// Starts a handshake: returns the first message.
pub(super) fn call(key: &[u8; 32], prologue: &[u8]) -> Result<(Calling, Vec<u8>), CipherError> {
    let mut state = builder()?.prologue(prologue)?.psk(0, key)?.build_initiator()?;
    let mut message = vec![0; HANDSHAKE_MESSAGE];
    let length = state.write_message(&[], &mut message)?;
    message.truncate(length);
    Ok((Calling(state), message))
}

impl Calling {
    /// Ends the handshake with the listener's message.
    pub(super) fn finish(mut self, message: &[u8]) -> Result<Cipher, CipherError> {
        // The payload is empty in this version; what a newer one puts there is ignored.
        let mut payload = vec![0; message.len()];
        self.0.read_message(message, &mut payload)?;
        Ok(Cipher::Noise(Box::new(self.0.into_stateless_transport_mode()?)))
    }
}

/// Answers a handshake with the first of `keys` that opens `message`: returns the second message.
///
/// That the caller holds the key now, and did not only record a message once, is proved by its first frame.
pub(super) fn answer(
    keys: &[[u8; 32]],
    prologue: &[u8],
    message: &[u8],
) -> Result<Option<(Cipher, Vec<u8>)>, CipherError> {
    for key in keys {
        let mut state = builder()?.prologue(prologue)?.psk(0, key)?.build_responder()?;
        let mut payload = vec![0; message.len()];
        if state.read_message(message, &mut payload).is_err() {
            continue;
        }
        let mut reply = vec![0; HANDSHAKE_MESSAGE];
        let length = state.write_message(&[], &mut reply)?;
        reply.truncate(length);
        return Ok(Some((Cipher::Noise(Box::new(state.into_stateless_transport_mode()?)), reply)));
    }
    Ok(None)
}

fn builder<'a>() -> Result<Builder<'a>, CipherError> {
    Ok(Builder::new(PATTERN.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    #[test]
    fn s8_any_accepted_key_opens_and_another_does_not() {
        for key in [OLD, NEW] {
            let (calling, first) = call(&key, b"p").unwrap();
            assert_eq!(first.len(), HANDSHAKE_MESSAGE);
            let (listener, second) = answer(&[NEW, OLD], b"p", &first).unwrap().unwrap();
            let caller = calling.finish(&second).unwrap();
            let mut sealed = Vec::new();
            caller.seal(0, b"hello", &mut sealed).unwrap();
            assert_eq!(sealed.len(), 5 + TAG);
            assert_eq!(listener.open(0, &sealed).unwrap(), b"hello");
            assert!(listener.open(1, &sealed).is_err(), "a repeated frame opened under another number");
        }
        let (_, first) = call(&[3; 32], b"p").unwrap();
        assert!(answer(&[NEW, OLD], b"p", &first).unwrap().is_none());
        let (_, first) = call(&OLD, b"another group").unwrap();
        assert!(answer(&[NEW, OLD], b"p", &first).unwrap().is_none());
    }
}
