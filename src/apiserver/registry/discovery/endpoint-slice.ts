import type { EndpointPort, EndpointSlice } from '../../../api/types/discovery-v1.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

const portCell = (port: EndpointPort) => (port.port !== undefined ? String(port.port) : (port.name ?? '*'));

export const endpointSlices = namespaced<EndpointSlice>({
  resource: 'discovery.k8s.io/endpointslices',
  specless: true,
  generation: true,
  default(slice) {
    slice.endpoints ??= [];
    slice.ports ??= [];
    for (const port of slice.ports) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
    for (const endpoint of slice.endpoints) endpoint.conditions ??= {};
  },
  columns: [
    nameColumn,
    text('AddressType', obj => obj.addressType),
    text('Ports', obj => firstFew((obj.ports ?? []).map(portCell), 3, '<unset>')),
    text('Endpoints', obj =>
      firstFew(
        (obj.endpoints ?? []).map(e => e.addresses[0] ?? ''),
        3,
        '<unset>',
      ),
    ),
    ageColumn,
  ],
});
