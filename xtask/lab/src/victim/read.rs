//! The ways in which a program may read a socket.

use std::io::IoSliceMut;
use std::net::TcpStream;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

use anyhow::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::select::{FdSet, select};
use nix::sys::socket::{MsgFlags, recv, recvmsg};
use nix::sys::uio::readv;

/// The receive call, and the wait before it if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadCall {
    /// recv(2), which is the system call `recvfrom`
    Recv,
    /// read(2)
    Read,
    /// readv(2), two buffers
    Readv,
    /// recvmsg(2)
    Recvmsg,
    /// recvmmsg(2), four messages, MSG_WAITFORONE
    Recvmmsg,
    /// poll(2), then recv
    #[value(name = "poll+recv")]
    PollRecv,
    /// epoll_wait(2), then recv
    #[value(name = "epoll+recv")]
    EpollRecv,
    /// select(2), then recv
    #[value(name = "select+recv")]
    SelectRecv,
}

/// Buffers of one recvmmsg call.
const SLOTS: usize = 4;

/// Reads one socket, always the same way.
pub(super) struct SocketReceiver<'a> {
    call: ReadCall,
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    size: usize,
    epoll: Option<Epoll>,
}

impl<'a> SocketReceiver<'a> {
    pub(super) fn new(call: ReadCall, stream: &'a TcpStream, size: usize) -> Result<Self> {
        let epoll = if call == ReadCall::EpollRecv {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            epoll.add(stream, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
            Some(epoll)
        } else {
            None
        };
        Ok(Self {
            call,
            stream,
            buffer: vec![0; size * SLOTS],
            size,
            epoll,
        })
    }

    /// Waits for bytes and returns them; empty at the end of the stream. It enters the system call
    /// at once.
    pub(super) fn receive(&mut self) -> Result<&[u8]> {
        loop {
            match self.once() {
                Ok(length) => return Ok(&self.buffer[..length]),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                // A venue that closes with unread bytes resets the connection: an orderly end here.
                Err(Errno::ECONNRESET) => return Ok(&[]),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn once(&mut self) -> Result<usize, Errno> {
        let fd = self.stream.as_fd();
        let buffer = &mut self.buffer[..self.size];
        match self.call {
            ReadCall::Recv => recv(fd.as_raw_fd(), buffer, MsgFlags::empty()),
            ReadCall::Read => nix::unistd::read(fd, buffer),
            ReadCall::Readv => {
                let (front, back) = buffer.split_at_mut(self.size / 2);
                readv(fd, &mut [IoSliceMut::new(front), IoSliceMut::new(back)])
            }
            ReadCall::Recvmsg => recvmsg::<()>(
                fd.as_raw_fd(),
                &mut [IoSliceMut::new(buffer)],
                None,
                MsgFlags::empty(),
            )
            .map(|message| message.bytes),
            ReadCall::Recvmmsg => recvmmsg(fd, &mut self.buffer, self.size),
            ReadCall::PollRecv => {
                poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::NONE)?;
                recv(fd.as_raw_fd(), buffer, MsgFlags::empty())
            }
            ReadCall::EpollRecv => {
                let mut events = [EpollEvent::empty()];
                if let Some(epoll) = &self.epoll {
                    epoll.wait(&mut events, EpollTimeout::NONE)?;
                }
                recv(fd.as_raw_fd(), buffer, MsgFlags::empty())
            }
            ReadCall::SelectRecv => {
                let mut set = FdSet::new();
                set.insert(fd);
                select(fd.as_raw_fd() + 1, Some(&mut set), None, None, None)?;
                recv(fd.as_raw_fd(), buffer, MsgFlags::empty())
            }
        }
    }
}

/// Fills up to [`SLOTS`] buffers of `size` bytes and closes the gaps between them.
fn recvmmsg(fd: BorrowedFd<'_>, buffer: &mut [u8], size: usize) -> Result<usize, Errno> {
    // SAFETY: all-zero is a valid value of these plain C structs.
    let (mut vectors, mut headers): ([libc::iovec; SLOTS], [libc::mmsghdr; SLOTS]) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    for ((slot, vector), header) in buffer
        .chunks_exact_mut(size)
        .zip(&mut vectors)
        .zip(&mut headers)
    {
        vector.iov_base = slot.as_mut_ptr().cast();
        vector.iov_len = slot.len();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the headers point to vectors and buffers that live until after the call, with their
    // real lengths; no timeout is given.
    let received = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            SLOTS as libc::c_uint,
            libc::MSG_WAITFORONE,
            std::ptr::null_mut(),
        )
    };
    let received = Errno::result(received)?.cast_unsigned() as usize;
    let mut total = 0;
    for (index, header) in headers.iter().take(received).enumerate() {
        let length = header.msg_len as usize;
        buffer.copy_within(index * size..index * size + length, total);
        total += length;
    }
    Ok(total)
}
