use proptest::prelude::*;

use super::*;

fn call(number: i64, args: [u64; 4]) -> Syscall {
    Syscall { number, args }
}

#[test]
fn every_receive_call_shows_where_its_bytes_go() {
    let args = [3, 0x1000, 1, 0];
    let of = |number| call(number, args).destination(|| Some(7));
    let start = 0x1000;
    assert_eq!(of(nr::READ), Some(Destination::Buffer { start }));
    assert_eq!(of(nr::RECVFROM), Some(Destination::Buffer { start }));
    assert_eq!(of(nr::READV), Some(Destination::Vector { start, count: 1 }));
    let header = Some(Destination::Header { address: start });
    assert_eq!(of(nr::RECVMSG), header);
    // Of a call of one message the index is 0.
    assert_eq!(of(nr::RECVMMSG), header);
    assert_eq!(of(nr::POLL), None);
    assert_eq!(of(-1), None);
}

#[test]
fn a_message_of_recvmmsg_is_found_by_its_index() {
    let of = |index| call(nr::RECVMMSG, [3, 0x1000, 8, 0]).destination(|| index);
    let address = 0x1000 + 3 * 64;
    assert_eq!(of(Some(3)), Some(Destination::Header { address }));
    assert_eq!(of(None), None);
}

#[test]
fn only_recvmmsg_of_more_than_one_message_receives_several() {
    assert!(call(nr::RECVMMSG, [3, 0, 2, 0]).may_receive_several());
    assert!(!call(nr::RECVMMSG, [3, 0, 1, 0]).may_receive_several());
    assert!(!call(nr::RECVMSG, [3, 0, 2, 0]).may_receive_several());
}

#[test]
fn waits_for_sockets_are_known_by_number() {
    let of = |number| call(number, [5, 6, 7, 8]).socket_wait();
    let receives = [nr::READ, nr::READV, nr::RECVFROM, nr::RECVMSG, nr::RECVMMSG];
    for number in receives {
        assert_eq!(of(number), SocketWait::Receive { fd: 5 });
    }
    for number in [nr::POLL, nr::PPOLL] {
        assert_eq!(of(number), SocketWait::Poll { fds: 5, count: 6 });
    }
    for number in [nr::SELECT, nr::PSELECT6] {
        let select = SocketWait::Select {
            highest: 5,
            read_set: 6,
        };
        assert_eq!(of(number), select);
    }
    for number in [nr::EPOLL_WAIT, nr::EPOLL_PWAIT, nr::EPOLL_PWAIT2] {
        assert_eq!(of(number), SocketWait::Epoll { fd: 5 });
    }
    assert_eq!(of(nr::IO_URING_ENTER), SocketWait::Unresolved);
    for number in [nr::FUTEX, nr::FUTEX_WAIT, 1, -1] {
        assert_eq!(of(number), SocketWait::None);
    }
}

#[test]
fn the_cheap_test_lets_every_wait_pass() {
    for number in -200..600 {
        let wait = call(number, [0; 4]).socket_wait();
        let passes = !matches!(wait, SocketWait::None | SocketWait::Unresolved);
        assert_eq!(may_wait_for_socket(number), passes, "{number}");
    }
}

#[test]
fn numbers_are_those_of_the_machine() {
    #[cfg(target_arch = "x86_64")]
    assert_eq!(
        (nr::READ, nr::FUTEX, nr::RECVMMSG, nr::EPOLL_PWAIT2),
        (0, 202, 299, 441)
    );
    #[cfg(target_arch = "aarch64")]
    assert_eq!(
        (nr::READ, nr::FUTEX, nr::RECVMMSG, nr::EPOLL_PWAIT2),
        (63, 98, 243, 441)
    );
}

proptest! {
    #[test]
    fn a_poll_entry_is_its_descriptor_and_a_readable_event(fd: i32, other: i32, events: u16, revents: u16) {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&fd.to_le_bytes());
        bytes[4..6].copy_from_slice(&events.to_le_bytes());
        bytes[6..].copy_from_slice(&revents.to_le_bytes());
        let entry = u64::from_ne_bytes(bytes);
        prop_assert_eq!(polls_for_reading(entry, fd), events & 0x41 != 0);
        prop_assert_eq!(polls_for_reading(entry, other), events & 0x41 != 0 && fd == other);
    }

    #[test]
    fn a_select_bit_is_that_of_the_descriptor(set: [u64; 16], fd in -2i32..1026, highest in 0u64..1025) {
        match select_bit(fd, highest) {
            Some((offset, bit)) => {
                prop_assert!(fd >= 0 && (fd as u64) < highest);
                let byte = set[fd as usize / 64].to_le_bytes()[fd as usize % 64 / 8];
                let expected = byte >> (fd % 8) & 1 != 0;
                prop_assert_eq!(set[offset as usize / 8] & bit != 0, expected);
            }
            None => prop_assert!(fd < 0 || fd as u64 >= highest),
        }
    }
}
