/** Warnings about addresses and blocks that the older fields still take (GetWarningsForIP and GetWarningsForCIDR of apimachinery). */
import { formatCidr, formatIp, parseCidr, parseIp } from '../../../api/validation/ip.ts';

const quote = (text: string) => JSON.stringify(text);

export function ipWarnings(text: string | undefined, path: string): string[] {
  const ip = text ? parseIp(text) : undefined;
  if (!text || !ip) return [];
  const canonical = formatIp(ip);
  if (ip.mapped || ip.leadingZeros) {
    return [
      `${path}: non-standard IP address ${quote(text)} will be considered invalid in a future Kubernetes release: use ${quote(canonical)}`,
    ];
  }
  return ip.family === 6 && canonical !== text
    ? [`${path}: IPv6 address ${quote(text)} should be in RFC 5952 canonical format (${quote(canonical)})`]
    : [];
}

export function cidrWarnings(text: string | undefined, path: string): string[] {
  const cidr = text ? parseCidr(text) : undefined;
  if (!text || !cidr) return [];
  const canonical = formatCidr(cidr);
  const warnings: string[] = [];
  if (cidr.network !== cidr.address.value) {
    const single = `${formatIp(cidr.address)}/${cidr.family === 4 ? 32 : 128}`;
    warnings.push(
      `${path}: CIDR value ${quote(text)} is ambiguous in this context (should be ${quote(canonical)} or ${quote(single)}?)`,
    );
  }
  if (cidr.leadingZeros || cidr.address.mapped) {
    warnings.push(
      `${path}: non-standard CIDR value ${quote(text)} will be considered invalid in a future Kubernetes release: use ${quote(canonical)}`,
    );
  }
  if (warnings.length === 0 && cidr.family === 6 && canonical !== text) {
    warnings.push(
      `${path}: IPv6 CIDR value ${quote(text)} should be in RFC 5952 canonical format (${quote(canonical)})`,
    );
  }
  return warnings;
}
