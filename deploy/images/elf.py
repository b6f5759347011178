"""Reads and changes what a shared library is linked with: ELF files, as elf(5) describes them."""

import struct
from collections.abc import Container, Iterable
from typing import NamedTuple


class ElfError(ValueError):
    """A file that is not the shared library that is expected."""


class Section(NamedTuple):
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Symbol(NamedTuple):
    name: str
    info: int
    section: int
    """0 if another library defines it."""


class Dynamic(NamedTuple):
    tag: int
    value: int


# Of the System V ABI and its Linux extensions: elf(5).
SHT_DYNAMIC, SHT_DYNSYM, SHT_VERNEED, SHT_VERSYM = 6, 11, 0x6FFFFFFE, 0x6FFFFFFF
DT_NEEDED, DT_BIND_NOW, DT_FLAGS = 1, 24, 30
DT_VERNEED, DT_VERNEEDNUM, DT_FLAGS_1 = 0x6FFFFFFE, 0x6FFFFFFF, 0x6FFFFFFB
DF_BIND_NOW, DF_1_NOW = 8, 1
VER_NDX_GLOBAL, STB_WEAK = 1, 2


class Elf:
    """A shared library of 64 bits, little end first; fields are changed where they stand."""

    def __init__(self, content: bytes) -> None:
        self.data = bytearray(content)
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ElfError("not an ELF file of 64 bits, little end first")
        (start,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count = struct.unpack_from("<HH", self.data, 0x3A)
        self._sections = [
            Section(kind, address, offset, length, link)
            for _, kind, _, address, offset, length, link, *_ in (
                struct.unpack_from("<IIQQQQIIQQ", self.data, start + size * i) for i in range(count)
            )
        ]

    def needed(self) -> list[str]:
        """The libraries that it is linked with."""
        return [self._string(d.value) for d in self._dynamic() if d.tag == DT_NEEDED]

    def binds_at_once(self) -> bool:
        """Whether every function must exist when it is loaded, not only when it is called."""
        return any(
            d.tag == DT_BIND_NOW
            or (d.tag == DT_FLAGS and d.value & DF_BIND_NOW)
            or (d.tag == DT_FLAGS_1 and d.value & DF_1_NOW)
            for d in self._dynamic()
        )

    def defined(self) -> set[str]:
        """The symbols that it has for others."""
        return {symbol.name for symbol in self._symbols() if symbol.section}

    def cut(self, library: str, symbols: Container[str]) -> None:
        """Forgets the link with a library, and makes what it defines (``symbols``) optional."""
        versions = self._cut_versions(library)
        self._set_dynamic(
            d for d in self._dynamic() if d.tag != DT_NEEDED or self._string(d.value) != library
        )
        versym, dynsym = self._section(SHT_VERSYM), self._section(SHT_DYNSYM)
        for index, symbol in enumerate(self._symbols()):
            if symbol.section or symbol.name not in symbols:
                continue
            self.data[dynsym.offset + 24 * index + 4] = STB_WEAK << 4 | symbol.info & 0xF
            at = versym.offset + 2 * index
            if struct.unpack_from("<H", self.data, at)[0] in versions:
                struct.pack_into("<H", self.data, at, VER_NDX_GLOBAL)

    def strip(self) -> None:
        """Drops what no loader reads: all behind the segments, such as names and lines for
        debuggers, and the table of sections, without which nothing more can be asked here."""
        (start,) = struct.unpack_from("<Q", self.data, 0x20)
        size, count = struct.unpack_from("<HH", self.data, 0x36)
        segments = [
            struct.unpack_from("<IIQQQQ", self.data, start + size * i) for i in range(count)
        ]
        del self.data[max(start + size * count, *(s[2] + s[5] for s in segments)) :]
        struct.pack_into("<Q", self.data, 0x28, 0)
        struct.pack_into("<HH", self.data, 0x3C, 0, 0)
        self._sections = []

    def _cut_versions(self, library: str) -> set[int]:
        """Takes a library out of the list of versions; the numbers that its versions had."""
        section = self._section(SHT_VERNEED)
        (start,) = [d.value for d in self._dynamic() if d.tag == DT_VERNEED]
        position, before = start - section.address + section.offset, None
        while True:
            _, count, file, first, following = struct.unpack_from("<HHIII", self.data, position)
            if self._string(file) == library:
                break
            if not following:
                return set()
            before, position = position, position + following
        versions, at = set(), position + first
        for _ in range(count):
            _, _, other, _, further = struct.unpack_from("<IHHII", self.data, at)
            versions.add(other)
            at += further
        if before is None:
            if not following:
                raise ElfError(f"only {library} has versions: not provided for")
            skipped = following
        else:
            skipped = 0
            (jump,) = struct.unpack_from("<I", self.data, before + 12)
            struct.pack_into("<I", self.data, before + 12, jump + following if following else 0)
        self._set_dynamic(
            d._replace(value=d.value + skipped)
            if d.tag == DT_VERNEED
            else d._replace(value=d.value - 1)
            if d.tag == DT_VERNEEDNUM
            else d
            for d in self._dynamic()
        )
        return versions

    def _section(self, kind: int) -> Section:
        found = [s for s in self._sections if s.kind == kind]
        if len(found) != 1:
            raise ElfError(f"{len(found)} sections of kind {kind:#x}; 1 is expected")
        return found[0]

    def _symbols(self) -> list[Symbol]:
        section = self._section(SHT_DYNSYM)
        content = self.data[section.offset : section.offset + section.size]
        return [
            Symbol(self._string(name), info, index)
            for name, info, _, index, _, _ in struct.iter_unpack("<IBBHQQ", content)
        ]

    def _dynamic(self) -> list[Dynamic]:
        section = self._section(SHT_DYNAMIC)
        content = self.data[section.offset : section.offset + section.size]
        entries = [Dynamic(*entry) for entry in struct.iter_unpack("<QQ", content)]
        return entries[: entries.index(Dynamic(0, 0))]

    def _set_dynamic(self, entries: Iterable[Dynamic]) -> None:
        section = self._section(SHT_DYNAMIC)
        content = b"".join(struct.pack("<QQ", *entry) for entry in entries)
        self.data[section.offset : section.offset + section.size] = content.ljust(
            section.size, b"\0"
        )

    def _string(self, index: int) -> str:
        table = self._sections[self._section(SHT_DYNAMIC).link]
        start = table.offset + index
        return self.data[start : self.data.index(0, start)].decode()
