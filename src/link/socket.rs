//! The sockets of the link: how one is opened to another member's address, and how every connection is set.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::detour;
use super::shared::Shared;

/// Opens a connection to `address` from this member's own address on the same network, where it has one.
pub(super) async fn open(address: SocketAddr, path: usize, shared: &Shared) -> io::Result<TcpStream> {
    if let Some(relay) = shared.settings.detour {
        return detour::open(relay, shared.settings.me, address).await;
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let own = shared.settings.own().addresses.get(path).filter(|own| own.is_ipv4() == address.is_ipv4());
    if let Some(own) = own {
        let mut source = *own;
        source.set_port(0);
        socket.bind(source)?;
    }
    let stream = socket.connect(address).await?;
    if stream.local_addr()? == address {
        // With nobody listening the kernel may choose the very port that is called and connect it to itself.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// The socket options of every connection: small messages at once, and an end when the other side does not acknowledge.
pub(super) fn tune(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(shared.settings.reply_timeout))
}
